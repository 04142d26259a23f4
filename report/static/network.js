// The arithmetic of the living figure: trained networks wherever they are moved to. Nothing here
// touches the page, so tests can set it beside the numbers that Python finds.
//
// Parameters lie as Python stores them: layer after layer the weights, output units first, then the
// biases. A network has two inputs, ReLU units and one logit.
"use strict";

const network = (() => {
  // Units of a layer and points that one step of the inner loop takes together: as many sums as
  // stay in registers.
  const UNITS = 4;
  const POINTS = 8;
  // Points that go through all layers together: as many as stay in the nearest cache.
  const BLOCK = 96;

  // Float32 values, little-endian as all browsers' machines are.
  function decoded(text) {
    return new Float32Array(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);
  }

  // Where the weights and biases of each layer begin.
  function layersOf(widths) {
    let end = 0;
    return widths.slice(1).map((units, layer) => {
      const weights = end;
      const biases = weights + widths[layer] * units;
      end = biases + units;
      return { inputs: widths[layer], units, weights, biases };
    });
  }

  // One layer for a block of points, written in WebAssembly as this page is opened: four lanes of
  // a register hold four points. Arguments: where the packed weights, the input rows and the
  // output rows begin (bytes), how many inputs there are and groups of units, and the least
  // output (0 is ReLU).
  function vectorised(memory) {
    const lanes = [...Array(POINTS / 4).keys()];
    const units = [...Array(UNITS).keys()];
    const [WEIGHTS, X, Y, INPUTS, GROUPS, LEAST] = [0, 1, 2, 3, 4, 5];
    const [weight, x, xTile, yTile, input, tile] = [6, 7, 8, 9, 10, 11];
    const sum = (unit, lane) => 12 + unit * lanes.length + lane;
    const point = (lane) => 12 + UNITS * lanes.length + lane;
    const factor = point(lanes.length);
    const least = factor + 1;

    // The binary format: numbers of seven bits a byte, and instructions by their codes.
    const unsigned = (n) => (n < 128 ? [n] : [(n % 128) + 128, ...unsigned(n >> 7)]);
    const signed = (n) => (n >= -64 && n < 64 ? [n & 127] : [(n & 127) | 128, ...signed(n >> 7)]);
    const section = (id, bytes) => [id, ...unsigned(bytes.length), ...bytes];
    const get = (local) => [0x20, local];
    const set = (local) => [0x21, local];
    const simd = (code, ...rest) => [0xfd, ...unsigned(code), ...rest];
    const load = (offset) => simd(0x00, 2, ...unsigned(offset));
    const loadToAllLanes = (offset) => simd(0x09, 2, ...unsigned(offset));
    const store = (offset) => simd(0x0b, 2, ...unsigned(offset));
    const toAllLanes = simd(0x13);
    const [plus, times, greater] = [simd(0xe4), simd(0xe6), simd(0xe9)];
    const add = (local, number) => [...get(local), 0x41, ...signed(number), 0x6a, ...set(local)];
    const repeat = (count, body) => [
      0x03, 0x40, ...body, ...add(count, -1), ...get(count), 0x0d, 0, 0x0b,
    ];

    const row = 4 * BLOCK;
    const multiply = [
      ...lanes.flatMap((lane) => [...get(x), ...load(16 * lane), ...set(point(lane))]),
      ...units.flatMap((unit) => [
        ...get(weight), ...loadToAllLanes(4 * unit), ...set(factor),
        ...lanes.flatMap((lane) => [
          ...get(sum(unit, lane)), ...get(factor), ...get(point(lane)), ...times, ...plus,
          ...set(sum(unit, lane)),
        ]),
      ]),
      ...add(x, row), ...add(weight, 4 * UNITS),
    ];
    const sumTile = [
      ...get(WEIGHTS), ...set(weight), ...get(xTile), ...set(x), ...get(INPUTS), ...set(input),
      ...units.flatMap((unit) => lanes.flatMap((lane) => [
        ...get(weight), ...loadToAllLanes(4 * unit), ...set(sum(unit, lane)),
      ])),
      ...add(weight, 4 * UNITS),
      ...repeat(input, multiply),
      ...units.flatMap((unit) => lanes.flatMap((lane) => [
        ...get(yTile), ...get(sum(unit, lane)), ...get(least), ...greater,
        ...store(row * unit + 16 * lane),
      ])),
      ...add(xTile, 4 * POINTS), ...add(yTile, 4 * POINTS),
    ];
    const group = [
      ...get(X), ...set(xTile), ...get(Y), ...set(yTile),
      0x41, ...signed(BLOCK / POINTS), ...set(tile),
      ...repeat(tile, sumTile),
      ...get(weight), ...set(WEIGHTS), ...add(Y, row * UNITS),
    ];
    const [int, float, vector] = [0x7f, 0x7d, 0x7b];
    const code = [
      2, 6, int, least - 11, vector,
      ...get(LEAST), ...toAllLanes, ...set(least), ...repeat(GROUPS, group), 0x0b,
    ];
    const module = new WebAssembly.Module(new Uint8Array([
      0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0,
      ...section(1, [1, 0x60, 6, int, int, int, int, int, float, 0]),
      ...section(2, [1, 1, 0x65, 1, 0x6d, 2, 0, 1]), // imports the memory m of e
      ...section(3, [1, 0]),
      ...section(7, [1, 1, 0x66, 0, 0]), // exports the function f
      ...section(10, [1, ...unsigned(code.length), ...code]),
    ]));
    return new WebAssembly.Instance(module, { e: { m: memory } }).exports.f;
  }

  // The same in plain JavaScript, for browsers without.
  function plain(floats) {
    return (weights, x, y, inputs, groups, least) => {
      let first = weights / 4;
      for (let group = 0; group < groups; group += 1) {
        const out = y / 4 + group * UNITS * BLOCK;
        for (let p = 0; p < BLOCK; p += 1) {
          let w = first;
          let a = floats[w];
          let b = floats[w + 1];
          let c = floats[w + 2];
          let d = floats[w + 3];
          for (let i = 0, at = x / 4 + p; i < inputs; i += 1, at += BLOCK) {
            w += UNITS;
            const value = floats[at];
            a += floats[w] * value;
            b += floats[w + 1] * value;
            c += floats[w + 2] * value;
            d += floats[w + 3] * value;
          }
          floats[out + p] = Math.max(a, least);
          floats[out + BLOCK + p] = Math.max(b, least);
          floats[out + 2 * BLOCK + p] = Math.max(c, least);
          floats[out + 3 * BLOCK + p] = Math.max(d, least);
        }
        first += UNITS * (1 + inputs);
      }
    };
  }

  // Evaluates networks of these widths on many points, in float32. `fast` says whether in
  // WebAssembly, which is about ten times as fast; `plainly` asks for JavaScript in any case.
  function evaluator(widths, plainly = false) {
    const rows = UNITS * Math.ceil(Math.max(...widths) / UNITS);
    let end = 0;
    const layers = layersOf(widths).map((layer) => {
      const groups = Math.ceil(layer.units / UNITS);
      const packed = end;
      end += groups * UNITS * (1 + layer.inputs);
      return { ...layer, groups, packed };
    });
    const buffers = [end, end + rows * BLOCK];
    const bytes = 4 * (end + 2 * rows * BLOCK);
    let floats;
    let apply;
    let fast = false;
    try {
      if (plainly) throw new Error("asked for");
      const memory = new WebAssembly.Memory({ initial: Math.ceil(bytes / 65536) });
      apply = vectorised(memory);
      floats = new Float32Array(memory.buffer);
      fast = true;
    } catch {
      floats = new Float32Array(bytes / 4);
      apply = plain(floats);
    }

    // Where in the packed weights each parameter lies: units in groups, of each group the biases,
    // then per input the weights. A last group is filled up with units of weight zero.
    const last = layers.at(-1);
    const size = last.biases + last.units;
    const places = new Int32Array(size);
    for (const { inputs, units, weights, biases, packed } of layers) {
      for (let unit = 0; unit < units; unit += 1) {
        const first = packed + Math.floor(unit / UNITS) * UNITS * (1 + inputs) + (unit % UNITS);
        places[biases + unit] = first;
        for (let input = 0; input < inputs; input += 1) {
          places[weights + unit * inputs + input] = first + (1 + input) * UNITS;
        }
      }
    }
    const sums = new Float64Array(size);

    // Takes the sum of some vectors of parameters, each times its share, as the parameters.
    function move(vectors, shares) {
      sums.fill(0);
      for (let k = 0; k < vectors.length; k += 1) {
        const vector = vectors[k];
        const share = shares[k];
        for (let i = 0; i < size; i += 1) sums[i] += share * vector[i];
      }
      for (let i = 0; i < size; i += 1) floats[places[i]] = sums[i];
    }

    // The logits at the points (x, y), put into `out`. Nothing is allocated.
    function logits(x, y, out) {
      for (let begin = 0; begin < x.length; begin += BLOCK) {
        const count = Math.min(BLOCK, x.length - begin);
        for (let i = 0; i < count; i += 1) {
          floats[buffers[0] + i] = x[begin + i];
          floats[buffers[0] + BLOCK + i] = y[begin + i];
        }
        for (let k = 0; k < layers.length; k += 1) {
          const { inputs, groups, packed } = layers[k];
          const least = k + 1 < layers.length ? 0 : -Infinity;
          apply(4 * packed, 4 * buffers[k % 2], 4 * buffers[(k + 1) % 2], inputs, groups, least);
        }
        const found = buffers[layers.length % 2];
        for (let i = 0; i < count; i += 1) out[begin + i] = floats[found + i];
      }
      return out;
    }

    return { fast, move, logits };
  }

  // How many points lie on the wrong side: class 1 is where the logit is above 0.
  function wrong(logits, labels) {
    let count = 0;
    for (let i = 0; i < labels.length; i += 1) count += (logits[i] > 0) === (labels[i] === 1) ? 0 : 1;
    return count;
  }

  // Uniform numbers in [0, 1), the same for the same number: Tommy Ettinger's mulberry32.
  function uniform(number) {
    let state = number | 0;
    return () => {
      state = (state + 0x6d2b79f5) | 0;
      let t = Math.imul(state ^ (state >>> 15), state | 1);
      t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
      return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
    };
  }

  // Calls `visit` with the begin and the end of each filter: the weights that lead to one unit.
  function eachFilter(widths, visit) {
    for (const { inputs, units, weights } of layersOf(widths)) {
      for (let unit = 0; unit < units; unit += 1) {
        visit(weights + unit * inputs, weights + (unit + 1) * inputs);
      }
    }
  }

  function norm(vector, begin = 0, end = vector.length) {
    let sum = 0;
    for (let i = begin; i < end; i += 1) sum += vector[i] * vector[i];
    return Math.sqrt(sum);
  }

  // A random direction before it is scaled to a network: normal numbers (Box and Muller 1958), at
  // the biases zero, of length one: as a whole if `exact`, and else in every filter.
  function drawn(widths, number, exact) {
    const next = uniform(number);
    const { biases, units } = layersOf(widths).at(-1);
    const vector = new Float64Array(biases + units);
    let spare = null;
    eachFilter(widths, (begin, end) => {
      for (let i = begin; i < end; i += 1) {
        if (spare === null) {
          const radius = Math.sqrt(-2 * Math.log(1 - next()));
          const angle = 2 * Math.PI * next();
          vector[i] = radius * Math.cos(angle);
          spare = radius * Math.sin(angle);
        } else {
          vector[i] = spare;
          spare = null;
        }
      }
    });
    const shorten = (begin, end) => {
      const length = norm(vector, begin, end);
      for (let i = begin; i < end; i += 1) vector[i] /= length;
    };
    if (exact) shorten(0, vector.length);
    else eachFilter(widths, shorten);
    return vector;
  }

  // Such a direction, scaled to a network: in every filter times the length of that filter. One
  // that is not `exact` is of length one in the end.
  function scaled(widths, parameters, direction, exact) {
    const vector = new Float32Array(direction.length);
    let squares = 0;
    eachFilter(widths, (begin, end) => { squares += norm(parameters, begin, end) ** 2; });
    const whole = exact ? 1 : Math.sqrt(squares);
    eachFilter(widths, (begin, end) => {
      const length = norm(parameters, begin, end) / whole;
      for (let i = begin; i < end; i += 1) vector[i] = length * direction[i];
    });
    return vector;
  }

  // What each point of a path counts for at t, put into `out`: of a Bezier curve the Bernstein
  // polynomials, of a polychain the pieces of equal share in t. Two points make a straight line.
  function shares(polychain, t, out) {
    const pieces = out.length - 1;
    if (polychain) {
      for (let i = 0; i <= pieces; i += 1) out[i] = Math.max(0, 1 - Math.abs(t * pieces - i));
      return out;
    }
    let binomial = 1;
    for (let i = 0; i <= pieces; i += 1) {
      out[i] = binomial * t ** i * (1 - t) ** (pieces - i);
      binomial = (binomial * (pieces - i)) / (i + 1);
    }
    return out;
  }

  return { decoded, drawn, evaluator, scaled, shares, wrong };
})();
