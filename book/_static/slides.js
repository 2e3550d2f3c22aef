// The slides: on their page every section is one. Without this script they stay an ordinary page.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const place = document.getElementById("slides");
  if (!place) return;
  const page = document.documentElement;
  const first = place.closest("section");
  const slides = [first, ...first.querySelectorAll(":scope > section")];
  const count = document.createElement("div");
  count.className = "slide-count";
  first.append(count);
  let at = 0;

  function show(number) {
    at = Math.min(Math.max(number, 0), slides.length - 1);
    slides.forEach((slide, i) => slide.classList.toggle("on", i === at));
    count.textContent = `${at + 1} / ${slides.length}`;
    window.scrollTo(0, 0);
  }
  function stop() {
    page.classList.remove("slideshow");
    if (document.fullscreenElement) document.exitFullscreen();
    slides[at].scrollIntoView();
    start.focus();
  }

  const start = document.createElement("button");
  start.className = "slide-start";
  start.textContent = "Start the slides";
  start.addEventListener("click", () => {
    page.classList.add("slideshow");
    page.requestFullscreen?.().catch(() => {}); // a browser may refuse; the slides then fill the window
    start.blur();
    show(0);
  });
  place.append(start, " Arrow keys turn them, Esc ends. Print while they are shown for a PDF with a slide a sheet.");

  const steps = { ArrowRight: 1, PageDown: 1, " ": 1, ArrowLeft: -1, PageUp: -1, Home: -Infinity, End: Infinity };
  document.addEventListener("keydown", (event) => {
    if (!page.classList.contains("slideshow")) return;
    if (event.key === "Escape") stop();
    else if (event.key in steps) show(at + steps[event.key]);
    else return;
    event.preventDefault();
    event.stopImmediatePropagation(); // the theme turns pages by arrow keys
  }, true);
  document.addEventListener("fullscreenchange", () => {
    if (!document.fullscreenElement && page.classList.contains("slideshow")) stop();
  });
  document.addEventListener("click", (event) => { // a tap on the left third goes back
    if (!page.classList.contains("slideshow") || event.target.closest("a, button, summary")) return;
    show(at + (event.clientX < window.innerWidth / 3 ? -1 : 1));
  });
});
