// The explorer: maps of E_a of six setups in which the same clip lights up, a map of E_t, and the sounds.
// Data stand in the page (clapleak/book/explorer.py). Text of the data is only ever set as text, never read as HTML.
"use strict";

(() => {
  const SVG = "http://www.w3.org/2000/svg";
  const DRAWN = ["svg", "g", "circle", "text"];
  const EDGE = 30; // room around a map of 0..1000
  const POINTED = ["airplane", "clock alarm", "clock tick", "cow", "crackling fire", "door wood creaks", "door wood knock",
    "mouse click", "sheep", "wind"]; // labels that the paper points at: the map of labels names them first
  const REACH = 16; // pixels within which a pointer finds a point
  const DIRECTIONS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

  /** An element with attributes and children; strings become text. */
  function make(tag, attributes = {}, ...children) {
    const element = DRAWN.includes(tag) ? document.createElementNS(SVG, tag) : document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children);
    return element;
  }

  /** A control with its label. */
  function field(label, control) {
    return make("label", {}, make("span", {}, label), control);
  }

  function options(select, names, first) {
    select.replaceChildren(...first, ...names.map((name, i) => make("option", { value: i }, name)));
  }

  const at = (flat, i) => [flat[2 * i], flat[2 * i + 1]];

  /** Number of the point nearest to the pointer, or -1 where none is near. */
  function under(event, svg, flat) {
    const matrix = svg.getScreenCTM();
    const spot = new DOMPoint(event.clientX, event.clientY).matrixTransform(matrix.inverse());
    let best = -1;
    let least = (REACH / matrix.a) ** 2;
    for (let i = 0; 2 * i < flat.length; i++) {
      const [x, y] = at(flat, i);
      const gap = (x - spot.x) ** 2 + (y - spot.y) ** 2;
      if (gap < least) [best, least] = [i, gap];
    }
    return best;
  }

  class Explorer {
    constructor(root, dataSets) {
      this.media = root.dataset.media;
      this.dataSets = dataSets;
      this.chosen = -1; // class that is singled out
      this.pinned = -1; // clip that was clicked or reached by keys
      this.hovered = -1; // clip under the pointer; shown instead while it is there
      this.pick = make("select");
      this.classes = make("select");
      this.search = make("input", { type: "search", placeholder: "dog", autocomplete: "off" });
      this.side = make("select");
      this.found = make("p", { class: "explorer-found", role: "status" });
      this.name = make("p", { class: "explorer-name", role: "status" });
      this.button = make("button", { type: "button" }, "Play");
      this.next = make("button", { type: "button" }, "Next of its class");
      this.audio = make("audio", { preload: "none" });
      this.grid = make("div", { class: "explorer-maps" });
      this.text = make("figure", { class: "explorer-text" });
      const controls = make("div", { class: "explorer-controls" }, field("Sounds", this.pick),
        field("Single out a class", this.classes), field("Search classes and clips", this.search),
        field("Map of labels", this.side));
      const panel = make("div", { class: "explorer-panel" }, this.name, this.button, this.next, this.audio);
      root.replaceChildren(controls, this.found, panel, this.grid, this.text);
      options(this.pick, dataSets.map((dataSet) => dataSet.title), []);
      this.pick.addEventListener("change", () => this.open(dataSets[this.pick.value]));
      this.classes.addEventListener("change", () => this.single(Number(this.classes.value)));
      this.search.addEventListener("input", () => this.look(this.search.value.trim().toLowerCase()));
      this.side.addEventListener("change", () => this.drawText());
      this.button.addEventListener("click", () => this.play(this.pinned));
      this.next.addEventListener("click", () => this.another());
      this.audio.addEventListener("error", () => {
        this.found.textContent = "This sound is not here: `clapleak book` makes the sounds beside the pages.";
      });
      this.open(dataSets[0]);
    }

    /** Draw another data set from the start. */
    open(dataSet) {
      this.dataSet = dataSet;
      this.chosen = this.pinned = this.hovered = -1;
      this.search.value = this.found.textContent = "";
      options(this.classes, dataSet.classes, [make("option", { value: -1 }, "all classes")]);
      this.setups = dataSet.setups.filter((setup) => setup.E_a);
      options(this.side, this.setups.map((setup) => setup.slug), []);
      this.side.value = Math.max(0, this.setups.findIndex((setup) => setup.slug === "clean-clean"));
      this.maps = this.setups.map((setup) => this.map(setup));
      const figures = Object.fromEntries(this.maps.map((map) => [map.setup.slug, map.figure]));
      this.grid.replaceChildren(...dataSet.setups.map((setup) => figures[setup.slug] || this.gap(setup)));
      this.button.hidden = !dataSet.synthetic;
      this.drawText();
      this.show();
    }

    gap(setup) {
      return make("figure", { style: `--setup: ${setup.colour}` }, make("figcaption", {}, `${setup.slug}: no result`));
    }

    /** One map of clips: its dots, the ring that marks a clip, and the line of answers below. */
    map(setup) {
      const dots = this.dataSet.labels.map((label, i) => {
        const [x, y] = at(setup.E_a, i);
        return make("circle", { cx: x, cy: y, r: 11, style: `--own: ${this.dataSet.colours[label]}` });
      });
      const ring = make("circle", { class: "ring", r: 30 });
      const size = 1000 + 2 * EDGE;
      const svg = make("svg", { viewBox: `${-EDGE} ${-EDGE} ${size} ${size}`, tabindex: 0, role: "application",
        "aria-label": `Map of E_a, ${setup.slug}. Arrow keys move from clip to clip, Enter plays, Escape lets go.` },
        make("g", {}, ...dots), ring);
      const answers = make("p", { class: "answers" });
      const scores = `accuracy ${setup.accuracy.toFixed(2)}, silhouette ${setup.silhouette.toFixed(2)}`;
      const caption = make("figcaption", {}, make("strong", {}, setup.slug), ` ${scores}`);
      const figure = make("figure", { style: `--setup: ${setup.colour}` }, caption, svg, answers);
      svg.addEventListener("pointermove", (event) => this.hover(under(event, svg, setup.E_a)));
      svg.addEventListener("pointerleave", () => this.hover(-1));
      svg.addEventListener("click", (event) => this.hit(under(event, svg, setup.E_a)));
      svg.addEventListener("focus", () => this.pinned < 0 && svg.matches(":focus-visible") && this.another());
      svg.addEventListener("keydown", (event) => this.key(event, setup));
      return { setup, figure, dots, ring, answers };
    }

    hover(clip) {
      if (clip === this.hovered) return;
      this.hovered = clip;
      this.show();
    }

    hit(clip) {
      if (clip < 0) return;
      this.pinned = this.hovered = clip;
      this.show();
      this.play(clip);
    }

    key(event, setup) {
      const direction = DIRECTIONS[event.key];
      if (direction) this.walk(setup, direction);
      else if (event.key === "Enter" || event.key === " ") this.play(this.pinned);
      else if (event.key === "Escape") this.pinned = -1;
      else return;
      event.preventDefault();
      this.hovered = -1;
      this.show();
    }

    /** Pin the next clip in a direction of one map; among those of the class, if one is singled out. */
    walk(setup, [dx, dy]) {
      const [x, y] = at(setup.E_a, Math.max(0, this.pinned));
      let least = Infinity;
      const from = this.pinned;
      this.dataSet.labels.forEach((label, i) => {
        const [u, v] = at(setup.E_a, i);
        const ahead = (u - x) * dx + (v - y) * dy;
        const aside = Math.abs((u - x) * dy) + Math.abs((v - y) * dx);
        if (ahead <= 0 || i === from || (this.chosen >= 0 && label !== this.chosen)) return;
        if (ahead + 2 * aside < least) [this.pinned, least] = [i, ahead + 2 * aside];
      });
    }

    /** Pin the next clip of the class that is singled out, else of the pinned clip's own. */
    another() {
      const { labels } = this.dataSet;
      const own = this.chosen >= 0 ? this.chosen : labels[Math.max(0, this.pinned)];
      const clips = labels.flatMap((label, i) => (label === own ? [i] : []));
      this.pinned = clips.find((i) => i > this.pinned) ?? clips[0];
      this.show();
    }

    play(clip) {
      if (!this.dataSet.synthetic || clip < 0) return;
      this.found.textContent = "";
      // the build names files so: every sign of the path that is no letter or digit becomes a hyphen
      this.audio.src = this.media + this.dataSet.clips[clip].replace(/[^\p{L}\p{N}]/gu, "-") + ".mp3";
      this.audio.play().catch(() => {}); // a broken sound speaks through its error event
    }

    single(number) {
      this.chosen = number;
      this.classes.value = number;
      this.show();
    }

    /** Single out the first class that fits some text, or pin the first clip whose name holds it. */
    look(text) {
      const { classes, clips } = this.dataSet;
      let hit = text ? classes.findIndex((name) => name.startsWith(text)) : -1;
      if (text && hit < 0) hit = classes.findIndex((name) => name.includes(text));
      const clip = text && hit < 0 ? clips.findIndex((name) => name.toLowerCase().includes(text)) : -1;
      if (clip >= 0) this.pinned = clip;
      const nothing = text && hit < 0 && clip < 0;
      this.found.textContent = nothing ? `No class and no clip holds "${text}".` : "";
      this.single(hit);
    }

    /** Names of the clip and of where its sound comes from. */
    describe(clip) {
      const { classes, clips, labels, synthetic } = this.dataSet;
      const [file, strong] = [clips[clip].split("/").pop(), make("strong", {}, classes[labels[clip]])];
      if (synthetic) return [strong, ` clip ${file}`];
      const recording = file.split("-")[1]; // ESC-50: fold, Freesound's number, take, target
      const link = make("a", { href: `https://freesound.org/s/${encodeURIComponent(recording)}/` },
        `Freesound ${recording}`);
      return [strong, ` ESC-50 ${file}, from `, link];
    }

    /** Labels nearest to a clip in one setup, with the cosine of each. */
    nearest(setup, clip) {
      const flat = setup.nearest;
      const count = flat.length / this.dataSet.labels.length / 2;
      return [...Array(count).keys()].map((j) => flat.slice(2 * (clip * count + j), 2 * (clip * count + j) + 2));
    }

    /** Bring all that is drawn in line with the clip and the class. */
    show() {
      const clip = this.hovered >= 0 ? this.hovered : this.pinned;
      const hint = "Point at a clip, or tab to a map and use the arrow keys.";
      this.name.replaceChildren(...(clip < 0 ? [hint] : this.describe(clip)));
      this.button.disabled = this.pinned < 0;
      this.grid.classList.toggle("single", this.chosen >= 0);
      for (const { setup, dots, ring, answers } of this.maps) {
        dots.forEach((dot, i) => dot.classList.toggle("on", this.dataSet.labels[i] === this.chosen));
        ring.classList.toggle("lit", clip >= 0);
        answers.replaceChildren();
        if (clip < 0) continue;
        ring.dataset.clip = this.dataSet.clips[clip];
        [ring.cx.baseVal.value, ring.cy.baseVal.value] = at(setup.E_a, clip);
        for (const [label, hundredths] of this.nearest(setup, clip)) {
          const right = label === this.dataSet.labels[clip];
          const words = `${right ? "✓ " : ""}${this.dataSet.classes[label]} ${(hundredths / 100).toFixed(2)}`;
          answers.append(make("span", right ? { class: "right" } : {}, words), " ");
        }
      }
      this.nameLabels(clip);
    }

    /** The map of labels of one setup, Figure 3 of the paper. */
    drawText() {
      const setup = this.setups[this.side.value];
      const dots = this.dataSet.classes.map((_, i) => {
        const [x, y] = at(setup.E_t, i);
        return make("circle", { cx: x, cy: y, r: 14, style: `--own: ${this.dataSet.colours[i]}` });
      });
      const names = this.dataSet.classes.map((name) => make("text", {}, name));
      const size = 1000 + 2 * EDGE;
      const svg = make("svg", { viewBox: `${-EDGE} ${-EDGE} ${size} ${size}`, role: "img",
        "aria-label": `Map of the labels, E_t, ${setup.slug}` }, ...dots, ...names);
      this.labels = { setup, dots, names, under: -1 };
      svg.addEventListener("pointermove", (event) => {
        this.labels.under = under(event, svg, setup.E_t);
        this.nameLabels(this.hovered >= 0 ? this.hovered : this.pinned);
      });
      svg.addEventListener("click", () => this.single(this.labels.under));
      const words = "labels, E_t: point at a dot for its name, click to single its class out";
      this.text.style.setProperty("--setup", setup.colour);
      this.text.replaceChildren(make("figcaption", {}, make("strong", {}, setup.slug), ` ${words}`), svg);
      this.nameLabels(this.pinned);
    }

    nameLabels(clip) {
      const { setup, dots, names, under: pointed } = this.labels;
      const own = clip < 0 ? this.chosen : this.dataSet.labels[clip];
      const near = clip < 0 ? [] : this.nearest(setup, clip).map(([label]) => label);
      dots.forEach((dot, i) => {
        const { classes } = this.dataSet;
        const first = own < 0 && (classes.length <= POINTED.length || POINTED.includes(classes[i]));
        const named = first || i === own || i === pointed || i === this.chosen || near.includes(i);
        names[i].classList.toggle("lit", named);
        for (const part of [dot, names[i]]) part.classList.toggle("on", i === own || i === this.chosen);
        dot.classList.toggle("near", named);
      });
      this.stack(names.filter((name) => name.classList.contains("lit")), setup);
    }

    /** Put each name beside its dot where it covers no other: right or left of it, level with it, above or below. */
    stack(names, setup) {
      const boxes = [];
      const halo = 11; // around the letters, which getBBox leaves out
      const places = [0, -34, 34, -68, 68, -102, 102].flatMap((dy) => [[18, dy, "start"], [-18, dy, "end"]]);
      for (const name of names) {
        const [x, y] = at(setup.E_t, this.labels.names.indexOf(name));
        const free = ([dx, dy, anchor]) => {
          for (const [key, value] of Object.entries({ x: x + dx, y: y + dy + 10, "text-anchor": anchor })) {
            name.setAttribute(key, value);
          }
          const box = name.getBBox();
          return box.x > -EDGE && box.x + box.width < 1000 + EDGE && !boxes.some((other) =>
            box.x < other.x + other.width + halo && other.x < box.x + box.width + halo &&
            box.y < other.y + other.height + halo && other.y < box.y + box.height + halo);
        };
        if (!places.some(free)) free(places[0]);
        boxes.push(name.getBBox());
      }
    }
  }

  function start() {
    const root = document.getElementById("explorer");
    const data = document.getElementById("explorer-data");
    if (!root || !data) return; // every page of the book loads this file
    new Explorer(root, JSON.parse(data.textContent));
    document.getElementById("explorer-still")?.classList.add("only-print");
    performance.mark("explorer-drawn");
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
