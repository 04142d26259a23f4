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
  document.querySelector(".masthead").append(button);
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

// The contents mark the section being read.
function followReading() {
  const links = new Map(
    [...document.querySelectorAll(".contents a")].map((link) => [link.hash.slice(1), link]),
  );
  const observer = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      for (const link of links.values()) link.removeAttribute("aria-current");
      links.get(entry.target.id).setAttribute("aria-current", "true");
    }
  }, { rootMargin: "-15% 0px -80% 0px" });
  for (const section of document.querySelectorAll("main > section")) observer.observe(section);
}

addThemeButton();
addLightbox();
addCopyButtons();
followReading();
