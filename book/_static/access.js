// What the theme leaves out for keyboards and screen readers; the browser tests look for such faults.
(() => {
  const amend = () => {
    // a table wider than the window is scrolled by key, once it has the focus
    document.querySelectorAll(".pst-scrollable-table-container").forEach((box) => {
      box.tabIndex = 0;
      box.setAttribute("role", "group");
      box.setAttribute("aria-label", "Table");
    });
    // the works cited are marked as a list whose parts are none
    document.querySelectorAll(".citation-list, .citation").forEach((part) => part.removeAttribute("role"));
  };
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", amend);
  else amend();
})();
