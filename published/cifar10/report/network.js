// The arithmetic of the living figure: trained networks at perturbed parameters. Nothing here
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

    // The parameters + distance * direction, in groups of units: their biases, then per input
    // their weights; a last group is filled up with units of weight zero.
    function move(parameters, direction, distance) {
      const at = (index) => parameters[index] + distance * direction[index];
      for (const { inputs, units, groups, weights, biases, packed } of layers) {
        for (let unit = 0; unit < groups * UNITS; unit += 1) {
          let place = packed + Math.floor(unit / UNITS) * UNITS * (1 + inputs) + (unit % UNITS);
          floats[place] = unit < units ? at(biases + unit) : 0;
          for (let input = 0; input < inputs; input += 1) {
            place += UNITS;
            floats[place] = unit < units ? at(weights + unit * inputs + input) : 0;
          }
        }
      }
    }

    // The logits at the points (x, y), put into `out`.
    function logits(x, y, out) {
      for (let begin = 0; begin < x.length; begin += BLOCK) {
        const count = Math.min(BLOCK, x.length - begin);
        floats.set(x.subarray(begin, begin + count), buffers[0]);
        floats.set(y.subarray(begin, begin + count), buffers[0] + BLOCK);
        layers.forEach(({ inputs, groups, packed }, layer) => {
          const least = layer + 1 < layers.length ? 0 : -Infinity;
          const [from, to] = [buffers[layer % 2], buffers[(layer + 1) % 2]];
          apply(4 * packed, 4 * from, 4 * to, inputs, groups, least);
        });
        const last = buffers[layers.length % 2];
        out.set(floats.subarray(last, last + count), begin);
      }
      return out;
    }

    return { fast, move, logits };
  }

  // Training loss (mean, in nats), accuracy, and curvature: the second derivative of the loss
  // along the direction, per squared unit of distance. Exact and in float64: every unit carries
  // its value h and the first two derivatives by the distance a,
  //   z = (W + aV)h + b,  z' = (W + aV)h' + Vh + b',  z'' = (W + aV)h'' + 2Vh',
  // and is linear or off, as it is at this distance. The logits are given too.
  function measured(widths, parameters, direction, distance, x, y, labels) {
    const layers = layersOf(widths);
    const places = new Float64Array(parameters);
    for (let i = 0; i < places.length; i += 1) places[i] += distance * direction[i];
    const widest = Math.max(...widths);
    const pair = () => [new Float64Array(widest), new Float64Array(widest)];
    const [values, slopes, bends, actives] = [pair(), pair(), pair(), pair()];
    const logits = new Float64Array(labels.length);
    let [loss, right, curvature] = [0, 0, 0];
    for (let point = 0; point < labels.length; point += 1) {
      values[0][0] = x[point];
      values[0][1] = y[point];
      slopes[0].fill(0, 0, 2);
      bends[0].fill(0, 0, 2);
      actives[0][0] = 0;
      actives[0][1] = 1;
      let on = 2;
      for (let layer = 0; layer < layers.length; layer += 1) {
        const [from, to] = [layer % 2, (layer + 1) % 2];
        const last = layer + 1 === layers.length;
        on = descend(layers[layer], on, last, places, direction,
          values[from], slopes[from], bends[from], actives[from],
          values[to], slopes[to], bends[to], actives[to]);
      }
      const end = layers.length % 2;
      const [z, slope, bend] = [values[end][0], slopes[end][0], bends[end][0]];
      logits[point] = z;
      const away = labels[point] === 1 ? -z : z;
      const p = 1 / (1 + Math.exp(-z));
      loss += Math.max(away, 0) + Math.log1p(Math.exp(-Math.abs(away)));
      right += (z > 0) === (labels[point] === 1) ? 1 : 0;
      curvature += p * (1 - p) * slope * slope + (p - labels[point]) * bend;
    }
    const count = labels.length;
    return { logits, loss: loss / count, accuracy: right / count, curvature: curvature / count };
  }

  // One layer for one point. Units that are off pass nothing on, so only the `on` listed ones
  // are read; returns how many units are on.
  function descend(layer, on, last, places, direction, h, dh, ddh, active, z, dz, ddz, next) {
    let count = 0;
    for (let unit = 0; unit < layer.units; unit += 1) {
      const row = layer.weights + unit * layer.inputs;
      let value = places[layer.biases + unit];
      let slope = direction[layer.biases + unit];
      let bend = 0;
      for (let k = 0; k < on; k += 1) {
        const input = active[k];
        const w = places[row + input];
        const v = direction[row + input];
        value += w * h[input];
        slope += w * dh[input] + v * h[input];
        bend += w * ddh[input] + 2 * v * dh[input];
      }
      if (value > 0 || last) {
        z[unit] = value;
        dz[unit] = slope;
        ddz[unit] = bend;
        next[count] = unit;
        count += 1;
      }
    }
    return count;
  }

  return { decoded, evaluator, measured };
})();
