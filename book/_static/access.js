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
    // their text is their name; a label that says something else hides it from those who speak their commands
    document.querySelectorAll("summary, .search-button-field").forEach((part) => part.removeAttribute("aria-label"));
    // but the arrows that unfold a chapter in the menu have none
    document.querySelectorAll(".has-children > details > summary").forEach((part) => {
      const chapter = part.closest("li").querySelector("a").textContent.trim();
      part.setAttribute("aria-label", `Pages of ${chapter}`);
    });
    // a comma may not begin the line behind a formula
    document.querySelectorAll("span.math").forEach((formula) => {
      const text = formula.nextSibling;
      const signs = text?.nodeType === Node.TEXT_NODE && text.data.match(/^[,.;:)]+/);
      if (!signs) return;
      text.splitText(signs[0].length);
      const together = document.createElement("span");
      together.className = "one-line";
      formula.before(together);
      together.append(formula, text);
    });
  };
  // the search shows the words around what it found, not the table of contents above them
  document.addEventListener("DOMContentLoaded", () => {
    if (typeof Search === "undefined") return;
    const plain = Search.htmlToText;
    Search.htmlToText = (html, anchor) => {
      const page = new DOMParser().parseFromString(html, "text/html");
      const around = ".bd-header-article, .bd-sidebar-secondary, #jb-print-docs-body, .prev-next-footer";
      page.querySelectorAll(around).forEach((part) => part.remove());
      return plain(page.documentElement.outerHTML, anchor);
    };
  });
  if (document.readyState === "complete") amend();
  else window.addEventListener("load", amend);  // after the theme's own scripts
})();
