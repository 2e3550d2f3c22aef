// Sliders (clapleak/book/site.py): of the frames and lines that stand in the page, those of one position are shown.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  for (const slider of document.querySelectorAll(".slider")) {
    const [knob, output] = [slider.querySelector("input"), slider.querySelector("output")];
    const show = () => {
      slider.querySelectorAll("[data-at]").forEach((part) => (part.hidden = part.dataset.at !== knob.value));
      const { name } = slider.querySelector(`[data-at="${knob.value}"][data-name]`).dataset;
      output.value = name;
      knob.setAttribute("aria-valuetext", name); // what a screen reader says in place of the number
    };
    knob.disabled = false; // without this script it would move and change nothing
    knob.addEventListener("input", show);
    show(); // some browsers keep the position when a page is loaded again
  }
});
