// Comforts only: without this file the page reads, links and downloads just the same.
"use strict";

const DARK = "(prefers-color-scheme: dark)";

// Light and dark: the style sheet follows color-scheme, the pictures follow their media conditions.
function addThemeButton() {
  const system = window.matchMedia(DARK);
  const sources = [...document.querySelectorAll("picture source")];
  for (const source of sources) source.dataset.media = source.media;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "theme";

  function theme() {
    return document.documentElement.dataset.theme || (system.matches ? "dark" : "light");
  }

  function show() {
    button.textContent = theme() === "dark" ? "Light colours" : "Dark colours";
  }

  button.addEventListener("click", () => {
    const chosen = theme() === "dark" ? "light" : "dark";
    document.documentElement.dataset.theme = chosen;
    for (const source of sources) {
      const rest = source.dataset.media.replace(` and ${DARK}`, "").replace(DARK, "all");
      const dark = source.dataset.media.includes(DARK);
      source.media = dark && chosen === "light" ? "not all" : rest;
    }
    show();
  });
  system.addEventListener("change", show);
  show();
  document.querySelector(".site").append(button);
}

// A click on a figure shows it by itself; without scripts it is a link to the picture.
function addLightbox() {
  const dialog = document.createElement("dialog");
  dialog.className = "lightbox";
  const close = document.createElement("button");
  close.type = "button";
  close.textContent = "Close";
  close.addEventListener("click", () => dialog.close());
  const stage = document.createElement("div");
  stage.className = "stage";
  stage.tabIndex = 0;
  stage.addEventListener("click", () => dialog.close());
  dialog.append(close, stage);
  document.body.append(dialog);

  for (const link of document.querySelectorAll("a.zoom")) {
    link.setAttribute("role", "button");
    link.setAttribute("aria-haspopup", "dialog");
    link.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      stage.replaceChildren(link.querySelector("picture").cloneNode(true));
      const caption = link.closest("figure").querySelector("figcaption strong");
      dialog.setAttribute("aria-label", caption.textContent);
      dialog.showModal();
    });
    link.addEventListener("keydown", (event) => {
      if (event.key !== " ") return;
      event.preventDefault();
      link.click();
    });
  }
}

function addCopyButtons() {
  for (const block of document.querySelectorAll(".bibtex")) {
    const text = block.querySelector("pre");
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copy";
    button.textContent = "Copy";
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(text.textContent);
        button.textContent = "Copied";
      } catch {
        // No permission, or a browser without a clipboard for pages from disk: select it instead.
        window.getSelection().selectAllChildren(text);
        button.textContent = "Selected";
      }
      window.setTimeout(() => { button.textContent = "Copy"; }, 2000);
    });
    block.append(button);
  }
}

// A number opens what it is: its interval, what stands behind it, its job and its file; a term what
// it means. Without scripts they are links to a row among the measurements, or among the terms.
function addPopovers() {
  const about = document.createElement("div");
  if (typeof about.showPopover !== "function") return;
  about.className = "about";
  about.id = "about-number";
  about.popover = "auto";
  about.tabIndex = -1;
  about.setAttribute("role", "dialog");
  let opener = null;

  function line(text, kind) {
    const p = document.createElement("p");
    p.className = kind;
    p.textContent = text;
    return p;
  }

  function fill(number) {
    const { name, about: more, job, file } = number.dataset;
    const link = document.createElement("a");
    link.href = number.href;
    const term = number.classList.contains("term");
    link.textContent = name ? "Its row among the measurements" : term ? "All terms" : "The source";
    const last = document.createElement("p");
    last.append(link);
    about.replaceChildren(line(number.textContent, "value"));
    for (const text of (more || "").split("; ")) if (text) about.append(line(text, ""));
    if (job) about.append(line(`Job: ${job}`, "from"));
    if (file) about.append(line(`File: ${file}, ${name}`, "from"));
    about.append(last);
    about.setAttribute("aria-label", `What ${number.textContent} is`);
  }

  // Below the number, or above it where there is no room, and never beyond the screen.
  function place(number) {
    const at = number.getBoundingClientRect();
    const { offsetWidth: width, offsetHeight: height } = about;
    const below = at.bottom + 8 + height <= window.innerHeight || at.top < height + 8;
    const left = Math.min(at.left, window.innerWidth - width - 12);
    about.style.left = `${Math.max(12, left)}px`;
    about.style.top = `${below ? at.bottom + 8 : at.top - height - 8}px`;
  }

  function close() {
    if (about.matches(":popover-open")) about.hidePopover();
  }

  about.addEventListener("toggle", (event) => {
    if (event.newState === "closed" && opener) {
      opener.setAttribute("aria-expanded", "false");
      if (about.contains(document.activeElement) || document.activeElement === document.body) {
        opener.focus({ preventScroll: true });
      }
      opener = null;
    }
  });
  // It goes along with its number until that has left the screen.
  window.addEventListener("scroll", () => {
    if (!opener) return;
    const at = opener.getBoundingClientRect();
    if (at.bottom < 0 || at.top > window.innerHeight) close();
    else place(opener);
  }, { passive: true });
  window.addEventListener("resize", close);

  for (const number of document.querySelectorAll("a.number, a.term")) {
    number.setAttribute("aria-haspopup", "dialog");
    let wasOpen = false;
    // A press beside a popover closes it before the click arrives.
    number.addEventListener("pointerdown", () => { wasOpen = opener === number; });
    number.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      if (wasOpen) {
        wasOpen = false;
        close();
        return;
      }
      close();
      fill(number);
      number.after(about);
      about.showPopover();
      place(number);
      opener = number;
      number.setAttribute("aria-expanded", "true");
      about.focus({ preventScroll: true });
    });
  }
}

// What is linked to may lie in a part that is folded.
function unfold() {
  const target = document.getElementById(decodeURIComponent(window.location.hash.slice(1)));
  if (!target) return;
  let folded = target.closest("details:not([open])");
  if (!folded) return;
  for (; folded; folded = target.closest("details:not([open])")) folded.open = true;
  target.scrollIntoView();
}

// The contents mark the section being read.
function followReading() {
  const links = new Map(
    [...document.querySelectorAll(".contents a")].map((link) => [link.hash.slice(1), link]),
  );
  const observer = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      for (const link of links.values()) link.removeAttribute("aria-current");
      links.get(entry.target.id)?.setAttribute("aria-current", "true");
    }
  }, { rootMargin: "-15% 0px -80% 0px" });
  for (const section of document.querySelectorAll("main > section")) observer.observe(section);
}

addThemeButton();
addLightbox();
addCopyButtons();
addPopovers();
followReading();
unfold();
window.addEventListener("hashchange", unfold);
