// How a ratio of widths becomes a ratio of volumes: of a ball in n dimensions, V goes as rⁿ, so one
// that is q times as wide is larger by n log₁₀ q decades.
"use strict";

(() => {
  const ball = document.getElementById("ball");
  if (!ball) return;
  const find = (selector) => ball.querySelector(selector);
  const width = find("#ball-width");
  const dimension = find("#ball-dimension");
  // Steps of the sliders per factor of ten: of what a ball is wider by than 1, up to 10, and of n.
  const PER_WIDTH = 200;
  const PER_DIMENSION = 50;
  let n = 2;

  // Two figures are told below two, one above, so that what is told is what is counted with.
  function ratio() {
    const q = 10 ** (width.value / PER_WIDTH);
    return q < 2 ? Math.round(100 * q) / 100 : Math.round(10 * q) / 10;
  }

  function grouped(value) {
    return value.toLocaleString("en", { maximumFractionDigits: 6 });
  }

  function write(name, text) {
    for (const place of ball.querySelectorAll(`[data-show="${name}"]`)) place.textContent = text;
  }

  function show(told) {
    const q = ratio();
    const decades = n * Math.log10(q);
    const volume = find(".volume");
    if (decades < 6) {
      volume.textContent = grouped(Number((q ** n).toPrecision(3)));
    } else {
      const raised = document.createElement("sup");
      raised.textContent = grouped(Math.round(decades));
      volume.replaceChildren("10", raised);
    }
    const worth = grouped(Number(decades < 6 ? decades.toPrecision(2) : decades.toFixed(0)));
    const where = `${grouped(n)} dimension${n === 1 ? "" : "s"}`;
    write("ratio", String(q));
    write("count", grouped(n));
    write("dimension", where);
    find(".decades").textContent = `That is ${worth} decades, or factors of ten.`;
    find(".inner").setAttribute("r", String(50 / q));
    width.setAttribute("aria-valuetext", `${q} times as wide`);
    dimension.setAttribute("aria-valuetext", `${where}: ${worth} decades of volume`);
    if (told) find(".news").textContent = `${where}: ${worth} decades of volume.`;
  }

  width.addEventListener("input", () => show(false));
  dimension.addEventListener("input", () => {
    n = Math.round(10 ** (dimension.value / PER_DIMENSION));
    show(false);
  });
  for (const button of ball.querySelectorAll("button")) {
    button.addEventListener("click", () => {
      n = Number(button.dataset.dimension);
      dimension.value = Math.round(PER_DIMENSION * Math.log10(n));
      show(true);
    });
  }
  ball.hidden = false;
  show(false);
})();
