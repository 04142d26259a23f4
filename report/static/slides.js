// Slides one at a time. Without this file they stand below one another, with their notes.
"use strict";

(() => {
  const root = document.documentElement;
  const leaves = [...document.querySelectorAll(".leaf")];
  const DARK = window.matchMedia("(prefers-color-scheme: dark)");
  // Pixels that a finger has to travel, and milliseconds that the buttons stay after a move.
  const SWIPE = 50;
  const AWAKE = 2500;
  const steer = document.createElement("nav");
  let current = 0;
  let rest = 0;
  let touch = null;

  function numbered() {
    const number = Number(window.location.hash.slice(1));
    return Number.isInteger(number) && number >= 1 && number <= leaves.length ? number - 1 : null;
  }

  function show(index, focus = true) {
    current = Math.min(Math.max(index, 0), leaves.length - 1);
    leaves.forEach((leaf, i) => {
      leaf.classList.toggle("current", i === current);
      leaf.tabIndex = i === current || root.classList.contains("overview") ? 0 : -1;
    });
    // As a state of its own, going back would lead through every slide.
    window.history.replaceState(null, "", `#${current + 1}`);
    const leaf = leaves[current];
    if (focus) leaf.focus({ preventScroll: true });
    if (root.classList.contains("overview")) leaf.scrollIntoView({ block: "nearest" });
    else replay(leaf);
  }

  // An animation begins when its slide is shown.
  function replay(leaf) {
    for (const image of leaf.querySelectorAll(".animation")) {
      const { src } = image;
      image.loading = "eager";
      image.src = "";
      image.src = src;
    }
  }

  function overview(on = !root.classList.contains("overview")) {
    root.classList.toggle("overview", on);
    press("overview", on);
    show(current);
  }

  function notes() {
    press("notes", root.classList.toggle("noted"));
  }

  function colours() {
    const dark = (root.dataset.theme || (DARK.matches ? "dark" : "light")) === "dark";
    root.dataset.theme = dark ? "light" : "dark";
    press("colours", root.dataset.theme === "dark");
  }

  function full() {
    if (document.fullscreenElement) document.exitFullscreen();
    else if (root.requestFullscreen) root.requestFullscreen().catch(() => {});
  }

  const KEYS = {
    ArrowRight: () => show(current + 1),
    ArrowDown: () => show(current + 1),
    PageDown: () => show(current + 1),
    " ": (event) => show(current + (event.shiftKey ? -1 : 1)),
    ArrowLeft: () => show(current - 1),
    ArrowUp: () => show(current - 1),
    PageUp: () => show(current - 1),
    Home: () => show(0),
    End: () => show(leaves.length - 1),
    Enter: () => root.classList.contains("overview") && overview(false),
    Escape: () => root.classList.contains("overview") && overview(false),
    n: notes,
    o: overview,
    d: colours,
    f: full,
  };

  // Sliders, buttons and links keep the keys that they use themselves.
  function keeps(target, key) {
    if (target.closest("input, select, textarea")) return key !== "PageDown" && key !== "PageUp";
    return Boolean(target.closest("a, button")) && (key === "Enter" || key === " ");
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (!Object.hasOwn(KEYS, key) || keeps(event.target, key)) return;
    event.preventDefault();
    KEYS[key](event);
  });

  document.addEventListener("touchstart", (event) => {
    const inside = event.target.closest("input, button, .course, .spoken");
    const [point] = event.touches;
    touch = inside || event.touches.length > 1 ? null : [point.clientX, point.clientY];
  }, { passive: true });

  document.addEventListener("touchend", (event) => {
    if (!touch || root.classList.contains("overview")) return;
    const [point] = event.changedTouches;
    const [across, down] = [point.clientX - touch[0], point.clientY - touch[1]];
    touch = null;
    if (Math.abs(across) > SWIPE && Math.abs(across) > 1.5 * Math.abs(down)) {
      show(current + (across < 0 ? 1 : -1));
    }
  });

  for (const [index, leaf] of leaves.entries()) {
    leaf.addEventListener("focus", () => {
      if (root.classList.contains("overview") && index !== current) show(index, false);
    });
    leaf.addEventListener("click", () => {
      if (!root.classList.contains("overview")) return;
      current = index;
      overview(false);
    });
  }

  function press(name, on) {
    const button = steer.querySelector(`[data-does="${name}"]`);
    button.setAttribute("aria-pressed", String(on));
  }

  function addButton(name, words, does, kind = "") {
    const button = document.createElement("button");
    button.type = "button";
    button.dataset.does = name;
    button.className = kind;
    button.textContent = words;
    button.addEventListener("click", does);
    steer.append(button);
  }

  function wake() {
    steer.classList.add("awake");
    window.clearTimeout(rest);
    rest = window.setTimeout(() => steer.classList.remove("awake"), AWAKE);
  }

  steer.className = "steer";
  steer.setAttribute("aria-label", "Slides");
  addButton("back", "Back", () => show(current - 1, false));
  addButton("next", "Next", () => show(current + 1, false));
  addButton("overview", "Overview", () => overview());
  addButton("notes", "Notes", notes);
  addButton("colours", "Dark", colours, "less");
  addButton("full", "Full screen", full, "less");
  for (const link of document.querySelectorAll(".about-slides a")) {
    const copy = link.cloneNode(true);
    copy.className = "less";
    copy.textContent = link.textContent.replace("These slides as a ", "");
    steer.append(copy);
  }
  document.body.append(steer);
  for (const name of ["overview", "notes"]) press(name, false);
  press("colours", DARK.matches);
  document.addEventListener("pointermove", wake);
  document.addEventListener("touchstart", wake, { passive: true });
  window.addEventListener("hashchange", () => {
    const index = numbered();
    if (index !== null && index !== current) show(index);
  });
  root.classList.add("staged");
  show(numbered() ?? 0, false);
})();
