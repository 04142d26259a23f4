// The living figure: two trained networks whose parameters move as the reader moves a slider, away
// from where training left them or along a path from one to another. The networks are in LIVING,
// the data script of the figure; network.js computes.
"use strict";

(() => {
  const figure = document.getElementById("fig-living");
  const find = (selector) => figure.querySelector(selector);
  const slider = find("#living-place");
  const play = find(".play");
  const another = find(".another");
  const link = find(".share");
  const news = find(".news");
  const said = find("output[for=living-place]");
  const ways = [...figure.querySelectorAll("input[name=living-way]")];
  const STEPS = Number(slider.max);
  const FRAGMENT = "#living?";
  const MOST_DIRECTIONS = 9999;

  // Milliseconds: of a frame at 30 a second, of that what computing may take, until the figure
  // counts as resting, in view before it plays, of a journey out and back to rest, and of a walk.
  const FRAME = 1000 / 30;
  const BUDGET = 0.45 * FRAME;
  const REST = 200;
  const ENTRANCE = 700;
  const OUT = 4200;
  const BACK = 1800;
  const WALK = 6500;
  // Places along the way at which wrong points are counted for the curves.
  const COUNTED = 50;

  const calm = window.matchMedia("(prefers-reduced-motion: reduce)");
  const compute = network.evaluator(LIVING.widths);
  // Pixels on a side of what is computed: while something moves, and once it rests.
  const LEVELS = compute.fast ? [32, 45, 64, 90, 120, 150] : [24, 32, 45];
  const RESTING = compute.fast ? 300 : 150;
  const train = points(LIVING.train);
  const test = points(LIVING.test);
  // While something moves, every fourth of these says enough.
  const some = { x: thinned(test.x), y: thinned(test.y), labels: thinned(test.labels) };
  const count = train.labels.length;
  const trainLogits = new Float32Array(count);
  const testLogits = new Float32Array(test.labels.length);
  const networks = LIVING.networks.map(({ name, parameters, direction }) => ({
    name,
    parameters: network.decoded(parameters),
    direction: network.decoded(direction),
  }));
  const path = LIVING.path.points.map((point) => (
    typeof point === "number" ? networks[point].parameters : network.decoded(point)
  ));
  const curved = path.length > 2;
  const sides = [...figure.querySelectorAll(".side")].map((element) => ({
    canvas: element.querySelector("canvas"),
    show: (name) => element.querySelector(`[data-show="${name}"]`),
    name: "",
    vectors: [],
    shares: new Float64Array(0),
    wrong: -1,
    unseen: 0,
    told: { wrong: -1, unseen: -1 },
    logits: new Float32Array(RESTING * RESTING),
    outside: new Uint8Array(count),
    course: new Float64Array(COUNTED + 1),
  }));
  for (const side of sides) {
    side.fields = { wrong: side.show("wrong"), unseen: side.show("unseen") };
  }
  const grids = new Map();
  const canvases = new Map();
  const tints = new Float32Array(RESTING * RESTING);
  const markX = new Float64Array(count);
  const markY = new Float64Array(count);
  const chart = makeChart(find(".course svg"));

  // What a link restores: the way, the number of the direction, and how far along, as a share.
  const state = { walks: false, direction: 1, share: 0 };
  const rest = Math.floor(STEPS * Math.sqrt(LIVING.rest / LIVING.reach)) / STEPS;
  let colours;
  let layers;
  let level = 2;
  let pace = BUDGET / 2;
  let parity = 0;
  let waiting = false;
  let resting = 0;
  let playing = false;
  let elapsed = 0;
  let before = 0;
  let counted = COUNTED + 1;
  let counting = 0;
  let entering = 0;

  function points({ x, y, labels }) {
    return {
      x: network.decoded(x),
      y: network.decoded(y),
      labels: Uint8Array.from(labels, Number),
    };
  }

  function thinned(values) {
    return values.filter((_, i) => i % 4 === 0);
  }

  // Steps are finer near the minimum, where sharp minima change.
  function distance(share) {
    return LIVING.reach * share * share;
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

  // Takes a side to its network at this share of the way.
  function move(side, share) {
    const { shares } = side;
    if (!state.walks) {
      shares[0] = 1;
      shares[1] = distance(share);
    } else if (shares.length > 1) {
      network.shares(LIVING.path.polychain && shares.length > 2, share, shares);
    } else {
      shares[0] = 1;
    }
    compute.move(side.vectors, shares);
  }

  function countWrong() {
    compute.logits(train.x, train.y, trainLogits);
    return network.wrong(trainLogits, train.labels);
  }

  // `unseen` says on which points it is looked at besides, if on any.
  function evaluate(side, n, unseen) {
    const { x, y } = grid(n);
    side.n = n;
    move(side, state.share);
    side.wrong = countWrong();
    for (let i = 0; i < count; i += 1) {
      side.outside[i] = (trainLogits[i] > 0) === (train.labels[i] === 1) ? 0 : 1;
    }
    compute.logits(x, y, side.logits);
    if (unseen) {
      compute.logits(unseen.x, unseen.y, testLogits);
      side.unseen = 1 - network.wrong(testLogits, unseen.labels) / unseen.labels.length;
    }
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

  function paint({ canvas, context, n, logits, outside }) {
    const size = canvas.width;
    context.drawImage(field(n, logits, size), 0, 0, size, size);
    context.drawImage(layers.points, 0, 0);
    const half = layers.ring.width / 2;
    for (let i = 0; i < count; i += 1) {
      if (outside[i]) context.drawImage(layers.ring, markX[i] - half, markY[i] - half);
    }
  }

  // Probability of class 1 in tints, with the decision boundary, where the logit is 0, as a line.
  // Between any four neighbours of the grid lie two by two pixels. Pixels and not a path: a bad
  // minimum's boundary has thousands of pieces, which take longer to stroke than to compute.
  function field(n, logits, size) {
    const side = 2 * (n - 1);
    const drawn = scratch(side);
    const { pixels } = drawn;
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
    drawn.context.putImageData(drawn.image, 0, 0);
    return drawn.canvas;
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
      const image = new ImageData(side, side);
      const pixels = new Uint32Array(image.data.buffer);
      canvases.set(side, { canvas, image, pixels, context: canvas.getContext("2d") });
    }
    return canvases.get(side);
  }

  function square(side) {
    const canvas = document.createElement("canvas");
    canvas.width = side;
    canvas.height = side;
    return canvas;
  }

  // Drawn once for all frames: the training points, round for class 0 and square for class 1, and
  // the ring around those on the wrong side.
  function drawLayers(size) {
    const dots = square(size);
    const radius = Math.max(1.6, 0.0078 * size);
    const context = dots.getContext("2d");
    train.labels.forEach((label, i) => {
      markX[i] = (1 + train.x[i] / LIVING.extent) * (size / 2);
      markY[i] = (1 - train.y[i] / LIVING.extent) * (size / 2);
      context.fillStyle = colours[`class-${label}`];
      context.beginPath();
      if (label === 0) context.arc(markX[i], markY[i], radius, 0, 2 * Math.PI);
      else context.rect(markX[i] - radius, markY[i] - radius, 2 * radius, 2 * radius);
      context.fill();
    });
    const ring = square(Math.ceil(5 * radius));
    const pen = ring.getContext("2d");
    pen.strokeStyle = colours.ink;
    pen.lineWidth = 0.45 * radius;
    pen.arc(ring.width / 2, ring.width / 2, 1.9 * radius, 0, 2 * Math.PI);
    pen.stroke();
    return { points: dots, ring };
  }

  // Three digits, without zeros at the end; a true minus.
  function written(value) {
    const text = Math.abs(value) >= 99.95 ? Math.round(value).toLocaleString("en") : value.toPrecision(3);
    return text.replace(/(\.\d*?)0+$/, "$1").replace(/\.$/, "").replace("-", "−");
  }

  function percent(share) {
    return `${(100 * share).toFixed(1).replace(".0", "")}%`;
  }

  function show({ wrong, unseen, told, fields }, whole) {
    if (told.wrong !== wrong) fields.wrong.textContent = String(wrong);
    const rounded = whole ? unseen : Math.round(100 * unseen) / 100;
    if (told.unseen !== rounded) fields.unseen.textContent = percent(rounded);
    told.wrong = wrong;
    told.unseen = rounded;
  }

  function where() {
    if (!state.walks) return `${LIVING.distance} ${written(distance(state.share))}`;
    return `${percent(state.share)} of the way from the good minimum to the bad one`;
  }

  function sentence({ name, wrong, unseen }) {
    return `${name}: ${wrong} of ${count} training points wrong, `
      + `${percent(unseen)} of unseen points right.`;
  }

  function draw(n) {
    parity = 1 - parity;
    for (let i = 0; i < sides.length; i += 1) {
      const side = sides[i];
      evaluate(side, n, i === parity ? some : null);
      paint(side);
      show(side, false);
    }
    chart.mark(state.share, sides[0].wrong, sides[1].wrong);
  }

  // Where a play has come to after so many milliseconds.
  function journey(time) {
    const eased = (share) => share * share * (3 - 2 * share);
    if (state.walks) return eased(Math.min(1, time / WALK));
    if (time < OUT) return eased(time / OUT);
    return 1 - (1 - rest) * eased(Math.min(1, (time - OUT) / BACK));
  }

  // Computes fewer pixels where frames take too long, more again where there is time.
  function frame(now) {
    waiting = false;
    if (!layers) return;
    if (playing) {
      // What passes while the page is hidden does not count.
      elapsed += Math.min(100, Math.max(0, now - before));
      before = now;
      state.share = journey(elapsed);
      slider.value = Math.round(STEPS * state.share);
      if (elapsed >= (state.walks ? WALK : OUT + BACK)) halt();
      tellPlace();
    }
    const begun = performance.now();
    draw(LEVELS[level]);
    pace += 0.25 * (performance.now() - begun - pace);
    if (pace > BUDGET && level > 0) {
      level -= 1;
      pace = 0.6 * BUDGET;
    } else if (pace < 0.35 * BUDGET && level < LEVELS.length - 1) {
      level += 1;
      pace = 0.6 * BUDGET;
    }
    if (playing) request();
    else settleSoon();
  }

  function request() {
    if (waiting) return;
    waiting = true;
    window.requestAnimationFrame(frame);
  }

  function settleSoon() {
    window.clearTimeout(resting);
    resting = window.setTimeout(settle, REST, 0);
  }

  // Once all is at rest: as fine as the screen shows, one side at a time so that whoever goes on is
  // not kept waiting, and in words for those who listen.
  function settle(number = 0) {
    if (waiting || playing || !layers) return;
    const side = sides[number];
    evaluate(side, Math.min(RESTING, Math.ceil(side.canvas.width / 2) + 1), test);
    paint(side);
    show(side, true);
    side.canvas.setAttribute("aria-label", `Decision regions at ${where()}. ${sentence(side)}`);
    if (number + 1 < sides.length) {
      resting = window.setTimeout(settle, 0, number + 1);
    } else if (figure.contains(document.activeElement)) {
      news.textContent = `${where().replace(/^\w/, (c) => c.toUpperCase())}. ${sides.map(sentence).join(" ")}`;
    }
  }

  function tellPlace() {
    const text = state.walks ? percent(state.share) : written(distance(state.share));
    if (said.textContent !== text) said.textContent = text;
    if (playing) return;
    slider.setAttribute("aria-valuetext", where());
    link.setAttribute("href", address());
  }

  function refresh() {
    tellPlace();
    request();
  }

  // The fragment of an address that brings this state back.
  function address() {
    const step = Math.round(STEPS * state.share) / STEPS;
    return state.walks
      ? `${FRAGMENT}walk=${step}`
      : `${FRAGMENT}direction=${state.direction}&distance=${Number(distance(step).toPrecision(6))}`;
  }

  // The state that a fragment asks for, within bounds; nothing if it is none of this figure.
  function restore() {
    if (!window.location.hash.startsWith(FRAGMENT)) return false;
    const asked = new URLSearchParams(window.location.hash.slice(FRAGMENT.length));
    const number = (name, least, most) => {
      const value = Number(asked.get(name));
      return Number.isFinite(value) ? Math.min(most, Math.max(least, value)) : least;
    };
    halt();
    elapsed = 0;
    state.walks = asked.has("walk");
    state.direction = Math.round(number("direction", 1, MOST_DIRECTIONS));
    const share = state.walks
      ? number("walk", 0, 1)
      : Math.sqrt(number("distance", 0, LIVING.reach) / LIVING.reach);
    slider.value = Math.round(STEPS * share);
    state.share = slider.value / STEPS;
    for (const way of ways) way.checked = (way.value === "walk") === state.walks;
    arrangeWay();
    return true;
  }

  // Which networks the two sides show, and what is said of the way.
  function arrangeWay() {
    figure.classList.toggle("walking", state.walks);
    if (state.walks) {
      const ends = [path[0], path.at(-1)];
      set(sides[0], "Straight line", ends);
      set(sides[1], curved ? "Trained curve" : "Where it leads", curved ? path : [ends[1]]);
    } else {
      const drawn = state.direction > 1
        ? network.drawn(LIVING.widths, state.direction, LIVING.exact)
        : null;
      networks.forEach(({ name, parameters, direction }, i) => {
        const along = drawn
          ? network.scaled(LIVING.widths, parameters, drawn, LIVING.exact)
          : direction;
        set(sides[i], name, [parameters, along]);
      });
    }
    find("label[for=living-place]").textContent = state.walks ? "Share of the way" : "Push";
    find(".other").hidden = state.walks;
    find(".which").textContent = `Direction ${state.direction}`;
    chart.axes(state.walks);
    counted = 0;
    window.clearTimeout(counting);
    counting = window.setTimeout(countOn);
    refresh();
  }

  function set(side, name, vectors) {
    side.name = name;
    side.vectors = vectors;
    side.shares = new Float64Array(vectors.length);
    side.show("name").textContent = name;
  }

  // The wrong points all along the way, a few places at a time.
  function countOn() {
    const until = performance.now() + 8;
    while (counted <= COUNTED && performance.now() < until) {
      for (const side of sides) {
        move(side, counted / COUNTED);
        side.course[counted] = countWrong();
      }
      counted += 1;
    }
    if (counted <= COUNTED) counting = window.setTimeout(countOn);
    else chart.curves();
  }

  // Wrong points of both along the whole way; the mark stands under the slider's thumb.
  function makeChart(svg) {
    const HEIGHT = 124;
    const [TOP, BOTTOM, EDGE] = [20, 22, 9];
    const floor = HEIGHT - BOTTOM;
    let width = 0;
    const element = (name, attributes, parent = svg) => {
      const made = document.createElementNS("http://www.w3.org/2000/svg", name);
      for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
      parent.append(made);
      return made;
    };
    const x = (share) => EDGE + share * (width - 2 * EDGE);
    const y = (wrong) => floor - (wrong / count) * (floor - TOP);
    const scale = element("g", {});
    const lines = ["right", "left"].map((side) => element("path", { class: `curve ${side}` }));
    // What moves in every frame are boxes of their own: the browser need not draw the curves anew.
    const box = (name) => {
      const made = document.createElement("i");
      made.className = name;
      svg.parentElement.append(made);
      return made;
    };
    const rod = box("rod");
    rod.style.top = `${TOP}px`;
    rod.style.height = `${floor - TOP}px`;
    const dots = [box("dot left"), box("dot right")];

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

    function axes(walks) {
      scale.replaceChildren();
      for (const wrong of [0, count / 2, count]) {
        const at = { x1: x(0), x2: x(1), y1: y(wrong), y2: y(wrong) };
        element("line", { class: wrong ? "level" : "level floor", ...at }, scale);
      }
      write(x(0), TOP - 7, "start", `wrong points, up to ${count}`);
      if (walks) {
        write(x(0), floor + 15, "start", "good minimum");
        write(x(1), floor + 15, "end", "bad minimum");
        return;
      }
      for (const tick of ticks()) {
        const place = x(Math.sqrt(tick / LIVING.reach));
        const anchor = !tick ? "start" : place > x(1) - 12 ? "end" : "middle";
        write(place, floor + 15, anchor, tick ? String(tick) : "0");
      }
      write(x(1), TOP - 7, "end", width > 460 ? LIVING.distance : "distance");
    }

    function write(left, base, anchor, words) {
      const text = element("text", { x: left, y: base, "text-anchor": anchor }, scale);
      text.textContent = words;
    }

    function curves() {
      if (counted <= COUNTED) return;
      [sides[1], sides[0]].forEach(({ course }, i) => {
        const places = Array.from(course, (wrong, k) => `${x(k / COUNTED).toFixed(1)} ${y(wrong).toFixed(1)}`);
        lines[i].setAttribute("d", `M${places.join("L")}`);
      });
    }

    function mark(share, left, right) {
      const place = x(share);
      rod.style.transform = `translateX(${place}px)`;
      dots[0].style.transform = `translate(${place}px, ${y(left)}px)`;
      dots[1].style.transform = `translate(${place}px, ${y(right)}px)`;
    }

    function resize() {
      width = svg.clientWidth;
      svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
      axes(state.walks);
      curves();
    }

    // A finger or a mouse on the curves takes the slider along.
    function drag(event) {
      const box = svg.getBoundingClientRect();
      const share = (event.clientX - box.left - EDGE) / (box.width - 2 * EDGE);
      slider.value = Math.round(STEPS * Math.min(1, Math.max(0, share)));
      slid();
    }
    svg.addEventListener("pointerdown", (event) => {
      svg.setPointerCapture(event.pointerId);
      drag(event);
    });
    svg.addEventListener("pointermove", (event) => {
      if (svg.hasPointerCapture(event.pointerId)) drag(event);
    });

    return { axes, curves, mark, resize };
  }

  // Plays on from where it was paused; with reduced motion a press moves a tenth of the way.
  function start() {
    if (calm.matches) {
      const next = Number(slider.value) + STEPS / 10;
      slider.value = next > STEPS ? 0 : next;
      slid();
    } else if (playing) {
      halt();
    } else {
      playing = true;
      before = performance.now();
      label();
      request();
    }
  }

  // A pause keeps to a step of the slider, so that a link can bring it back.
  function halt() {
    if (!playing) return;
    playing = false;
    if (elapsed >= (state.walks ? WALK : OUT + BACK)) elapsed = 0;
    state.share = slider.value / STEPS;
    label();
    refresh();
  }

  function label() {
    if (calm.matches) play.textContent = "Step";
    else play.textContent = playing ? "Pause" : "Play";
  }

  function slid() {
    touched();
    state.share = slider.value / STEPS;
    refresh();
  }

  // Whoever has taken hold of the figure is not to be played to.
  function touched() {
    halt();
    elapsed = 0;
    window.clearTimeout(entering);
    entrance.disconnect();
  }

  function pixelRatio() {
    return Math.min(2, window.devicePixelRatio || 1);
  }

  // Everything anew that depends on how large the figure is, and on its colours.
  function arrange() {
    const size = Math.round(pixelRatio() * sides[0].canvas.clientWidth);
    // Nothing of it is seen.
    if (size === 0) return;
    colours = readColours();
    for (const side of sides) {
      side.canvas.width = size;
      side.canvas.height = size;
      side.context = side.canvas.getContext("2d", { alpha: false });
    }
    layers = drawLayers(size);
    chart.resize();
    draw(LEVELS[level]);
    settleSoon();
  }

  // Plays once, when both pictures have been in view for a moment, and to nobody who would rather
  // have them still. A page that is opened at one of its parts passes them by.
  const entrance = new IntersectionObserver((entries) => {
    window.clearTimeout(entering);
    if (!entries.at(-1).isIntersecting) return;
    entering = window.setTimeout(() => {
      entrance.disconnect();
      if (!calm.matches) start();
    }, ENTRANCE);
  }, { threshold: 0.7 });

  slider.addEventListener("input", slid);
  play.addEventListener("click", () => {
    window.clearTimeout(entering);
    entrance.disconnect();
    start();
  });
  for (const way of ways) {
    way.addEventListener("change", () => {
      touched();
      state.walks = way.value === "walk";
      slider.value = state.walks ? STEPS / 2 : STEPS * rest;
      state.share = slider.value / STEPS;
      arrangeWay();
    });
  }
  another.addEventListener("click", () => {
    touched();
    state.direction = (state.direction % MOST_DIRECTIONS) + 1;
    if (state.share === 0) {
      slider.value = STEPS * rest;
      state.share = slider.value / STEPS;
    }
    arrangeWay();
  });
  link.addEventListener("click", async () => {
    touched();
    let told = "In the address bar";
    try {
      await navigator.clipboard.writeText(link.href);
      told = "Link copied";
    } catch {
      // No permission, or a page from disk: the address bar holds it now, and the link itself.
    }
    link.textContent = told;
    window.setTimeout(() => { link.textContent = "Link to this view"; }, 2000);
  });
  calm.addEventListener("change", () => {
    halt();
    label();
  });
  window.addEventListener("hashchange", () => {
    if (restore()) figure.scrollIntoView({ block: "nearest" });
  });
  for (const query of ["(prefers-color-scheme: dark)", "print"]) {
    window.matchMedia(query).addEventListener("change", arrange);
  }
  new MutationObserver(arrange)
    .observe(document.documentElement, { attributeFilter: ["data-theme"] });
  for (const side of sides) side.show("of").textContent = `of ${count}`;
  find(".moving").hidden = false;
  label();
  if (!restore()) {
    // Where nothing moves by itself, the figure stands where the two differ most.
    slider.value = calm.matches ? STEPS * rest : 0;
    state.share = slider.value / STEPS;
    arrangeWay();
    entrance.observe(find(".pair"));
  }
  new ResizeObserver(arrange).observe(find(".pair"));
})();
