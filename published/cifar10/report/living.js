// The living figure: two trained networks whose parameters move as the reader moves a slider.
// The networks are in LIVING, the data script of the figure; network.js computes.
"use strict";

(() => {
  const figure = document.getElementById("fig-living");
  const find = (selector) => figure.querySelector(selector);
  const slider = find("#living-distance");
  const poison = find("#living-poison");
  const play = find(".play");
  const STEPS = Number(slider.max);

  // Pixels on a side of what is computed: while something moves, at most, and once it rests.
  const MOVING = 150;
  const FEWEST = 45;
  // Milliseconds: of a frame at 30 a second, until the figure counts as resting, there and back.
  const FRAME = 1000 / 30;
  const REST = 250;
  const JOURNEY = 9000;

  const calm = window.matchMedia("(prefers-reduced-motion: reduce)");
  const compute = network.evaluator(LIVING.widths);
  const resting = compute.fast ? 2 * MOVING : MOVING;
  const train = points(LIVING.train);
  const test = points(LIVING.test);
  const testLogits = new Float32Array(test.x.length);
  const networks = LIVING.networks.map((stored) => ({
    ...stored,
    parameters: network.decoded(stored.parameters),
    direction: network.decoded(stored.direction),
    loss: network.decoded(stored.loss),
  }));
  const sides = [...figure.querySelectorAll(".side")].map((element) => ({
    element,
    canvas: element.querySelector("canvas"),
    show: (name) => element.querySelector(`[data-show="${name}"]`),
    network: networks[0],
    logits: new Float32Array(resting * resting),
  }));
  const chart = makeChart(find(".course"));
  const grids = new Map();
  const canvases = new Map();
  const tints = new Float32Array(resting * resting);
  let colours;
  let layers;
  let moving = compute.fast ? MOVING : FEWEST;
  let waiting = false;
  let rest = 0;
  let pace = 0;
  let playing = 0;

  function points({ x, y, labels }) {
    return {
      x: network.decoded(x),
      y: network.decoded(y),
      labels: Uint8Array.from(labels, Number),
    };
  }

  // Steps are finer near the minimum, where sharp minima change.
  function distance() {
    return LIVING.reach * (slider.value / STEPS) ** 2;
  }

  // n × n places from edge to edge, row by row from the top.
  function grid(n) {
    if (!grids.has(n)) {
      const at = (pixel) => LIVING.extent * ((2 * pixel) / (n - 1) - 1);
      const x = new Float32Array(n * n);
      const y = new Float32Array(n * n);
      for (let i = 0; i < n * n; i += 1) {
        x[i] = at(i % n);
        y[i] = -at(Math.floor(i / n));
      }
      grids.set(n, { x, y });
    }
    return grids.get(n);
  }

  function evaluate(side, n) {
    const { parameters, direction } = side.network;
    const { x, y } = grid(n);
    side.n = n;
    side.measured = network.measured(
      LIVING.widths, parameters, direction, distance(), train.x, train.y, train.labels,
    );
    compute.move(parameters, direction, distance());
    compute.logits(x, y, side.logits);
    compute.logits(test.x, test.y, testLogits);
    const right = test.labels.reduce((sum, l, i) => sum + (testLogits[i] > 0 === (l === 1)), 0);
    side.measured.test = right / test.labels.length;
  }

  // Colours as the style sheet has them in the present theme.
  function readColours() {
    const probe = document.createElement("span");
    probe.hidden = true;
    // Classes keep their colours where the browser puts those of the system in place of a page's.
    probe.style.setProperty("forced-color-adjust", "none");
    figure.append(probe);
    const found = {};
    for (const name of ["ink", "class-0", "class-1", "field-0", "field-between", "field-1"]) {
      probe.style.color = `var(--${name})`;
      found[name] = getComputedStyle(probe).color;
    }
    probe.remove();
    const bytes = (name) => {
      const context = square(1).getContext("2d");
      context.fillStyle = found[name];
      context.fillRect(0, 0, 1, 1);
      return new Uint32Array(context.getImageData(0, 0, 1, 1).data.buffer)[0];
    };
    const [ink, zero, between, one] = ["ink", "field-0", "field-between", "field-1"].map(bytes);
    found.line = ink;
    found.field = Uint32Array.from({ length: 256 }, (_, i) => (
      i < 128 ? mixed(zero, between, i / 128) : mixed(between, one, i / 128 - 1)
    ));
    return found;
  }

  function paint({ canvas, n, logits, measured }) {
    const size = canvas.width;
    const context = canvas.getContext("2d", { alpha: false });
    context.drawImage(field(n, logits, size), 0, 0, size, size);
    context.drawImage(layers.points, 0, 0);
    const half = layers.ring.width / 2;
    train.labels.forEach((label, i) => {
      if (measured.logits[i] > 0 === (label === 1)) return;
      const [x, y] = place(i, size);
      context.drawImage(layers.ring, x - half, y - half);
    });
  }

  // Probability of class 1 in tints, with the decision boundary, where the logit is 0, as a line.
  // Between any four neighbours of the grid lie two by two pixels. Pixels and not a path: a bad
  // minimum's boundary has thousands of pieces, which take longer to stroke than to compute.
  function field(n, logits, size) {
    const side = 2 * (n - 1);
    const canvas = scratch(side);
    const pixels = new Uint32Array(canvas.image.data.buffer);
    for (let i = 0; i < n * n; i += 1) tints[i] = 255.99 / (1 + Math.exp(-logits[i]));
    // Half the width of the line in such pixels, and as much again as it fades over.
    const half = (0.6 * pixelRatio() * side) / size;
    for (let row = 0; row + 1 < n; row += 1) {
      for (let column = 0; column + 1 < n; column += 1) {
        const i = row * n + column;
        const a = logits[i];
        const b = logits[i + 1];
        const c = logits[i + n];
        const d = logits[i + n + 1];
        const across = (b + d - a - c) / 4;
        const down = (c + d - a - b) / 4;
        const slope = Math.sqrt(across * across + down * down);
        const reach = slope * (half + 0.5);
        const near = Math.min(a, b, c, d) < reach && Math.max(a, b, c, d) > -reach;
        const first = 2 * (row * side + column);
        const tint = tints[i] | 0;
        // Most of the plane lies far from the boundary and is of one tint.
        if (!near && tint === (tints[i + 1] | 0) && tint === (tints[i + n] | 0)
          && tint === (tints[i + n + 1] | 0)) {
          const colour = colours.field[tint];
          pixels[first] = colour;
          pixels[first + 1] = colour;
          pixels[first + side] = colour;
          pixels[first + side + 1] = colour;
          continue;
        }
        for (let k = 0; k < 4; k += 1) {
          const right = k & 1;
          const below = k >> 1;
          let colour = colours.field[
            between(tints[i], tints[i + 1], tints[i + n], tints[i + n + 1], right, below) | 0
          ];
          if (near) {
            const away = Math.abs(between(a, b, c, d, right, below)) / slope;
            const share = Math.min(1, half + 0.5 - away);
            if (share > 0) colour = mixed(colour, colours.line, share);
          }
          pixels[first + below * side + right] = colour;
        }
      }
    }
    canvas.getContext("2d").putImageData(canvas.image, 0, 0);
    return canvas;
  }

  // The value a quarter or three quarters of the way across and down a square.
  function between(a, b, c, d, right, below) {
    const x = right ? 0.75 : 0.25;
    const y = below ? 0.75 : 0.25;
    return (1 - y) * (a + x * (b - a)) + y * (c + x * (d - c));
  }

  // Two colours, as the bytes of an image hold them, in proportion.
  function mixed(from, to, share) {
    let colour = 255 << 24;
    for (let shift = 0; shift < 24; shift += 8) {
      const part = (from >> shift) & 255;
      colour |= (part + share * (((to >> shift) & 255) - part)) << shift;
    }
    return colour;
  }

  function scratch(side) {
    if (!canvases.has(side)) {
      const canvas = square(side);
      canvas.image = new ImageData(side, side);
      canvases.set(side, canvas);
    }
    return canvases.get(side);
  }

  function square(side) {
    const canvas = document.createElement("canvas");
    canvas.width = side;
    canvas.height = side;
    return canvas;
  }

  // Where a training point lies on a canvas.
  function place(i, size) {
    return [train.x[i], -train.y[i]].map((value) => (1 + value / LIVING.extent) * (size / 2));
  }

  // Drawn once for all frames: the training points, round for class 0 and square for class 1, and
  // the ring around those on the wrong side.
  function drawLayers(size) {
    const points = square(size);
    const radius = Math.max(1.6, 0.0078 * size);
    const context = points.getContext("2d");
    train.labels.forEach((label, i) => {
      const [x, y] = place(i, size);
      context.fillStyle = colours[`class-${label}`];
      context.beginPath();
      if (label === 0) context.arc(x, y, radius, 0, 2 * Math.PI);
      else context.rect(x - radius, y - radius, 2 * radius, 2 * radius);
      context.fill();
    });
    const ring = square(Math.ceil(5 * radius));
    const pen = ring.getContext("2d");
    pen.strokeStyle = colours.ink;
    pen.lineWidth = 0.45 * radius;
    pen.arc(ring.width / 2, ring.width / 2, 1.9 * radius, 0, 2 * Math.PI);
    pen.stroke();
    return { points, ring };
  }

  // Three digits; powers of ten where there would be many zeros; a true minus.
  function written(value) {
    const size = Math.abs(value);
    if (size !== 0 && (size < 1e-3 || size >= 99950)) {
      const [digits, exponent] = value.toExponential(1).split("e");
      const raised = [...String(Number(exponent))].map((c) => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(c)]);
      return `${digits}×10${raised.join("")}`.replace("-", "−");
    }
    const text = size >= 99.95 ? Math.round(value).toLocaleString("en") : value.toPrecision(3);
    return text.replace(/(\.\d*?)0+$/, "$1").replace(/\.$/, "").replace("-", "−");
  }

  function percent(share) {
    return `${(100 * share).toFixed(1).replace(".0", "")}%`;
  }

  function show(side) {
    const { loss, accuracy, test: unseen, curvature } = side.measured;
    const told = {
      loss: written(loss),
      accuracy: percent(accuracy),
      test: percent(unseen),
      curvature: written(curvature),
    };
    for (const [name, text] of Object.entries(told)) side.show(name).textContent = text;
  }

  function sentence({ network: { name, poison: factor }, measured }) {
    return `${name}, poison factor ${factor}: training loss ${written(measured.loss)} nats, `
      + `${percent(measured.accuracy)} of training points and ${percent(measured.test)} `
      + `of test points right, curvature ${written(measured.curvature)}.`;
  }

  // For those who listen: once, when all is at rest.
  function tell() {
    const where = `Perturbation ${written(distance())}.`;
    for (const side of sides) {
      side.canvas.setAttribute("aria-label", `Decision regions. ${where} ${sentence(side)}`);
    }
    return `${where} ${sides.map(sentence).join(" ")}`;
  }

  function draw(n) {
    for (const side of sides) {
      evaluate(side, n);
      paint(side);
      show(side);
    }
    chart.mark(slider.value / STEPS, sides.map((side) => side.measured.loss));
  }

  // Computes fewer pixels where frames take too long, more again where there is time.
  function frame() {
    waiting = false;
    const begun = performance.now();
    draw(moving);
    pace += 0.2 * (performance.now() - begun - pace);
    if (pace > FRAME) moving = Math.max(FEWEST, Math.round(0.9 * moving));
    else if (pace < 0.7 * FRAME) moving = Math.min(MOVING, Math.round(1.1 * moving));
    window.clearTimeout(rest);
    rest = window.setTimeout(settle, REST);
  }

  function settle() {
    draw(resting);
    const text = tell();
    if (figure.contains(document.activeElement)) find(".news").textContent = text;
  }

  function refresh() {
    const text = written(distance());
    find("output[for=living-distance]").textContent = text;
    slider.setAttribute("aria-valuetext", `${LIVING.distance} ${text}`);
    if (waiting) return;
    waiting = true;
    window.requestAnimationFrame(frame);
  }

  // Another network on the right.
  function choose() {
    const chosen = networks[1 + Number(poison.value)];
    figure.classList.toggle("unpoisoned", chosen.poison === 0);
    sides[1].network = chosen;
    sides[1].show("name").textContent = chosen.name;
    find("output[for=living-poison]").textContent = String(chosen.poison);
    poison.setAttribute("aria-valuetext", `poison factor ${chosen.poison}, ${chosen.name}`);
    chart.curves(sides.map((side) => side.network.loss));
    refresh();
  }

  // The loss of both along the whole way; the mark stands under the slider's thumb.
  function makeChart(svg) {
    const HEIGHT = 150;
    const [TOP, BOTTOM, EDGE] = [18, 38, 9];
    const floor = HEIGHT - BOTTOM;
    let width = 0;
    const element = (name, attributes, parent = svg) => {
      const made = document.createElementNS("http://www.w3.org/2000/svg", name);
      for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
      parent.append(made);
      return made;
    };
    const x = (share) => EDGE + share * (width - 2 * EDGE);
    const y = (loss) => floor - (loss / LIVING.ceiling) * (floor - TOP);
    const axes = element("g", {});
    // What lies inside a picture of its own is cut off at its edges.
    const inside = element("svg", { y: TOP - 1, height: floor - TOP + 2, width: "100%" });
    const lines = ["right", "left"].map(
      (side) => element("path", { class: `curve ${side}`, transform: `translate(0 ${1 - TOP})` }, inside),
    );
    const rod = element("line", { class: "rod", y1: TOP, y2: floor });
    const dots = ["right", "left"].map((side) => element("circle", { class: `dot ${side}`, r: 4 }));

    // From the far end towards 0, as many round numbers as there is room for.
    function ticks() {
      const highest = Math.ceil(Math.log10(LIVING.reach));
      const round = [0, 1, 2, 3].flatMap((k) => [5, 2, 1].map((m) => m * 10 ** (highest - k)));
      const kept = [];
      for (const tick of round.filter((value) => value <= LIVING.reach)) {
        const place = x(Math.sqrt(tick / LIVING.reach));
        const room = kept.length ? x(Math.sqrt(kept.at(-1) / LIVING.reach)) - place : Infinity;
        if (room > 44 && place - x(0) > 44) kept.push(tick);
      }
      return [...kept, 0];
    }

    function drawAxes() {
      axes.replaceChildren();
      const last = Math.floor(LIVING.ceiling);
      for (let loss = 0; loss <= last; loss += 1) {
        const level = { x1: x(0), x2: x(1), y1: y(loss), y2: y(loss) };
        element("line", { class: loss ? "level" : "level floor", ...level }, axes);
      }
      write(x(0), TOP - 5, "start", `training loss up to ${written(LIVING.ceiling)} nats`);
      write(x(1), HEIGHT - 4, "end", LIVING.distance);
      for (const tick of ticks()) {
        write(x(Math.sqrt(tick / LIVING.reach)), floor + 15, tick ? "middle" : "start", tick);
      }
    }

    function write(left, base, anchor, words) {
      const text = element("text", { x: left, y: base, "text-anchor": anchor }, axes);
      text.textContent = words;
    }

    function curves([left, right]) {
      [right, left].forEach((losses, i) => {
        const place = (loss, k) => [x(k / (losses.length - 1)), y(loss)];
        lines[i].setAttribute("d", `M${Array.from(losses, place).map(String).join("L")}`);
      });
    }

    function mark(share, [left, right]) {
      for (const name of ["x1", "x2"]) rod.setAttribute(name, x(share));
      [right, left].forEach((loss, i) => {
        // What is not finite lies beyond, too.
        const beyond = !(loss <= LIVING.ceiling);
        dots[i].setAttribute("cx", x(share));
        dots[i].setAttribute("cy", beyond ? TOP : y(loss));
        dots[i].classList.toggle("beyond", beyond);
      });
    }

    function resize() {
      width = svg.clientWidth;
      svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
      drawAxes();
    }

    return { curves, mark, resize };
  }

  // Out and back once; with reduced motion a press moves a tenth of the way and no more.
  function start() {
    if (calm.matches) {
      const next = Number(slider.value) + STEPS / 10;
      slider.value = next > STEPS ? 0 : next;
      refresh();
      return;
    }
    if (playing) {
      stop();
      return;
    }
    const begun = performance.now() - (JOURNEY / Math.PI) * Math.asin(Math.sqrt(slider.value / STEPS));
    const go = (now) => {
      const share = (now - begun) / JOURNEY;
      slider.value = share < 1 ? STEPS * Math.sin(Math.PI * share) ** 2 : 0;
      refresh();
      if (share < 1) playing = window.requestAnimationFrame(go);
      else stop();
    };
    playing = window.requestAnimationFrame(go);
    label();
  }

  function stop() {
    window.cancelAnimationFrame(playing);
    playing = 0;
    label();
  }

  function label() {
    if (calm.matches) play.textContent = "Step";
    else play.textContent = playing ? "Pause" : "Play";
  }

  function pixelRatio() {
    return Math.min(2, window.devicePixelRatio || 1);
  }

  // Everything anew that depends on how large the figure is, and on its colours.
  function arrange() {
    const size = Math.round(pixelRatio() * sides[0].canvas.clientWidth);
    // Nothing of it is seen, as in print.
    if (size === 0) return;
    colours = readColours();
    for (const { canvas } of sides) {
      canvas.width = size;
      canvas.height = size;
    }
    layers = drawLayers(size);
    chart.resize();
    choose();
  }

  const { poison: least } = networks[0];
  sides[0].show("poison").textContent = least === 0
    ? "Trained without poison"
    : `Poison factor ${least}`;
  poison.max = networks.length - 2;
  poison.value = poison.max;
  slider.addEventListener("input", () => {
    stop();
    refresh();
  });
  poison.addEventListener("input", choose);
  play.addEventListener("click", start);
  calm.addEventListener("change", stop);
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", arrange);
  new MutationObserver(arrange)
    .observe(document.documentElement, { attributeFilter: ["data-theme"] });
  find(".moving").hidden = false;
  label();
  new ResizeObserver(arrange).observe(find(".pair"));
})();
