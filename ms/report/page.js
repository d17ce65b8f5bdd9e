"use strict";
// Draws the time line on its canvas: lanes from top to bottom, time from left to right. `data` is made by timeline.py.
const colours = ["#3f7cc0", "#e0913a", "#56a46f", "#c0504d", "#8467b5", "#8c6d53", "#d46fa6", "#7c8590", "#a8a236", "#35a5b0"];
const holder = document.getElementById("line");
if (holder) begin();

function time(us, step) {
  const units = [["µs", 1], ["ms", 1e3], ["s", 1e6]];
  const [unit, size] = us === 0 && step === undefined ? units[0] : units.findLast(([, s]) => Math.max(us, step || 0) >= s) || units[0];
  const digits = step === undefined ? (us / size < 10 ? 3 : us / size < 100 ? 2 : 1) : Math.max(0, -Math.floor(Math.log10(step / size) + 1e-9));
  return `${(us / size).toFixed(digits)} ${unit}`;
}

function niceStep(span, count) {
  const raw = span / count, power = 10 ** Math.floor(Math.log10(raw));
  return [1, 2, 5, 10].map((f) => f * power).find((step) => step >= raw * 0.999);
}

function begin() {
  const canvas = holder.querySelector("canvas"), tip = document.getElementById("tip");
  const all = document.getElementById("all"), range = document.getElementById("range");
  const laneHeight = data.lanes.length > 96 ? 7 : data.lanes.length > 32 ? 12 : 18;
  const labelWidth = 190, axisHeight = 22, programHeight = 22, groupGap = 20;
  const rows = [];
  let y = axisHeight + programHeight, slave = -1;
  for (const lane of data.lanes) {
    if (lane.slave !== slave) { y += groupGap; slave = lane.slave; rows.push({ y, slave, head: true }); }
    rows.push({ y, lane });
    y += laneHeight;
  }
  const height = y + (data.lanes_left_out ? 30 : 10);
  let from = 0, to = data.end, dragged = null, width = 0;

  const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const x = (us) => labelWidth + (width - labelWidth) * (us - from) / (to - from);
  const us = (px) => from + (to - from) * (px - labelWidth) / (width - labelWidth);

  function draw() {
    const scale = window.devicePixelRatio || 1, ink = canvas.getContext("2d");
    width = holder.clientWidth;
    canvas.width = width * scale;
    canvas.height = height * scale;
    canvas.style.height = `${height}px`;
    ink.setTransform(scale, 0, 0, scale, 0, 0);
    ink.clearRect(0, 0, width, height);
    ink.font = "11px system-ui, sans-serif";
    drawAxis(ink);
    clip(ink, () => drawProgram(ink));
    for (const row of rows) if (row.head) drawHead(ink, row); else clip(ink, () => drawLane(ink, row));
    for (const row of rows) if (!row.head && laneHeight >= 12) label(ink, row.lane.name, row.y + laneHeight / 2, false);
    label(ink, "program", axisHeight + programHeight / 2, true);
    clip(ink, () => drawMarks(ink));
    if (data.lanes_left_out) label(ink, `and ${data.lanes_left_out} lanes more`, height - 14, false);
    if (dragged) drawSelection(ink);
    range.textContent = from > 0 || to < data.end ? `${time(from)} – ${time(to)}` : data.merged ? "many runs: close ones are drawn as one, paler where slots were idle" : "";
    all.hidden = !(from > 0 || to < data.end);
  }

  function clip(ink, what) {
    ink.save();
    ink.beginPath();
    ink.rect(labelWidth, 0, width - labelWidth, height);
    ink.clip();
    what();
    ink.restore();
  }

  function label(ink, text, middle, strong) {
    ink.fillStyle = style(strong ? "--ink" : "--faint");
    ink.textAlign = "right";
    ink.textBaseline = "middle";
    ink.fillText(text, labelWidth - 10, middle);
  }

  function drawAxis(ink) {
    const step = niceStep(to - from, Math.max(2, (width - labelWidth) / 110));
    ink.textBaseline = "top";
    for (let at = Math.ceil(from / step) * step; at <= to + step * 1e-6; at += step) {
      const px = x(at);
      ink.strokeStyle = style("--line");
      ink.beginPath();
      ink.moveTo(px, axisHeight - 4);
      ink.lineTo(px, height);
      ink.stroke();
      ink.fillStyle = style("--faint");
      ink.textAlign = px > width - 40 ? "right" : "left";
      ink.fillText(time(at, step), px > width - 40 ? px - 2 : px + 2, 4);
    }
  }

  function drawProgram(ink) {
    ink.fillStyle = style("--k0");
    ink.fillRect(x(0), axisHeight + 4, Math.max(x(data.end) - x(0), 1), programHeight - 8);
    ink.fillStyle = style("--line");
    for (const [start, duration] of data.waits)
      if (start < to && start + duration > from) ink.fillRect(x(start), axisHeight + 4, Math.max(x(start + duration) - x(start), 0.3), programHeight - 8);
  }

  function drawHead(ink, row) {
    ink.fillStyle = style("--ink");
    ink.textAlign = "left";
    ink.textBaseline = "bottom";
    ink.font = "600 11.5px system-ui, sans-serif";
    ink.fillText(data.slaves[row.slave] || "", 0, row.y - 3);
    ink.font = "11px system-ui, sans-serif";
  }

  function drawLane(ink, row) {
    const top = row.y + 1, size = laneHeight - 2;
    ink.fillStyle = style("--paper");
    ink.fillRect(labelWidth, top, width, size);
    for (const [start, duration, fn, , share] of row.lane.blocks) {
      if (start > to || start + duration < from) continue;
      const left = x(start), wide = Math.max(x(start + duration) - left, 0.6);
      ink.globalAlpha = 0.25 + 0.75 * share / 100;
      ink.fillStyle = colours[fn % colours.length];
      ink.fillRect(left, top, wide > 3 ? wide - 0.6 : wide, size);
      ink.globalAlpha = 1;
      if (wide > 60 && laneHeight >= 18 && share === 100) name(ink, data.functions[fn], left, top, wide, size);
    }
    for (const [start, duration] of row.lane.lent) if (start < to && start + duration > from) hatch(ink, x(start), top, x(start + duration) - x(start), size);
  }

  function name(ink, text, left, top, wide, size) {
    ink.save();
    ink.beginPath();
    ink.rect(left, top, wide - 4, size);
    ink.clip();
    ink.fillStyle = "#fff";
    ink.textAlign = "left";
    ink.textBaseline = "middle";
    ink.fillText(text, Math.max(left, labelWidth) + 5, top + size / 2 + 0.5);
    ink.restore();
  }

  function hatch(ink, left, top, wide, size) {
    ink.save();
    ink.beginPath();
    ink.rect(left, top, Math.max(wide, 0.5), size);
    ink.clip();
    ink.fillStyle = style("--sheet");
    ink.globalAlpha = 0.7;
    ink.fillRect(left, top, wide, size);
    ink.globalAlpha = 0.5;
    ink.strokeStyle = style("--faint");
    ink.beginPath();
    for (let at = Math.max(left, labelWidth) - size; at < Math.min(left + wide, width); at += 5) {
      ink.moveTo(at, top + size);
      ink.lineTo(at + size, top);
    }
    ink.stroke();
    ink.restore();
  }

  function drawMarks(ink) {
    ink.fillStyle = style("--bad");
    for (const mark of data.marks) {
      const head = rows.find((row) => row.head && row.slave === mark.slave), px = x(mark.at), top = head ? head.y : axisHeight + 2;
      ink.beginPath();
      ink.moveTo(px, top + 1);
      ink.lineTo(px - 4, top - 7);
      ink.lineTo(px + 4, top - 7);
      ink.fill();
    }
  }

  function drawSelection(ink) {
    ink.fillStyle = style("--k0");
    ink.globalAlpha = 0.18;
    ink.fillRect(Math.min(dragged.start, dragged.now), axisHeight, Math.abs(dragged.now - dragged.start), height);
    ink.globalAlpha = 1;
  }

  function found(px, py) {
    const slack = 2 * (to - from) / (width - labelWidth), at = us(px);
    for (const mark of data.marks) {
      const head = rows.find((row) => row.head && row.slave === mark.slave), top = head ? head.y : axisHeight + 2;
      if (Math.abs(x(mark.at) - px) < 5 && py > top - 9 && py < top + 2) return `${mark.text}\nat ${time(mark.at)}`;
    }
    const row = rows.find((one) => !one.head && py >= one.y && py < one.y + laneHeight);
    if (!row) return py > axisHeight && py < axisHeight + programHeight ? programAt(at) : null;
    let best = null;
    for (const block of row.lane.blocks) if (block[0] - slack <= at && at <= block[0] + block[1] + slack) best = block;
    if (!best) return null;
    const [start, duration, fn, job, share, count] = best;
    return count === 1 ? `${data.functions[fn]}${job ? `, job ${job}` : ""}\nat ${time(start)}, took ${time(duration)}`
      : `${count} runs, most of it ${data.functions[fn]}\nat ${time(start)}, in ${time(duration)}, ${share} % busy`;
  }

  function programAt(at) {
    const wait = data.waits.find(([start, duration]) => start <= at && at <= start + duration);
    return wait ? `the program waits\nat ${time(wait[0])}, for ${time(wait[1])}` : "the program computes";
  }

  function position(event) {
    const box = canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  canvas.addEventListener("mousemove", (event) => {
    const [px, py] = position(event), text = dragged ? null : found(px, py);
    tip.hidden = !text;
    if (text) {
      tip.textContent = text;
      tip.style.left = `${Math.min(px + 14, width - tip.offsetWidth - 4)}px`;
      tip.style.top = `${py + 16}px`;
    }
  });
  canvas.addEventListener("mouseleave", () => { tip.hidden = true; });
  canvas.addEventListener("mousedown", (event) => {
    const [px] = position(event);
    if (event.button === 0 && px >= labelWidth) dragged = { start: px, now: px };
  });
  window.addEventListener("mousemove", (event) => {
    if (!dragged) return;
    dragged.now = Math.max(labelWidth, Math.min(width, position(event)[0]));
    draw();
  });
  window.addEventListener("mouseup", () => {
    if (!dragged) return;
    const [low, high] = [us(Math.min(dragged.start, dragged.now)), us(Math.max(dragged.start, dragged.now))];
    if (Math.abs(dragged.now - dragged.start) > 4 && high - low > 0.01) [from, to] = [Math.max(0, low), Math.min(data.end, high)];
    dragged = null;
    draw();
  });
  const reset = () => { from = 0; to = data.end; draw(); };
  canvas.addEventListener("dblclick", reset);
  all.addEventListener("click", reset);
  window.addEventListener("resize", draw);
  draw();
}
