"""A drawing as a piece of HTML for a notebook: a frame that is interactive, and the list of what it shows beside it.

The frame is one document in an attribute (``srcdoc``), sandboxed and with a policy that lets it load nothing: its
script cannot reach the notebook, its style does not leak, and it works offline and on a static page. Without scripts
the drawing stands still; where a sanitiser takes the frame away, the list remains. All text is escaped, and the script
holds none of it: it reads what it moves from the elements.
"""

from __future__ import annotations

from html import escape

from labkit.graph.picture.drawing import EDGE, FILL, HEAVY, INK, LIGHT, NAME, SMALL, Box, Drawing, Line, breadth, texts
from labkit.graph.picture.layout import Point
from labkit.graph.picture.strokes import curves, ends, outline

_BARS = 74.0  # pixels for the buttons above the drawing and the note below it
_TALL = 620.0

_STYLE = f"""
html, body {{ margin: 0; height: 100%; background: #fff; color: {INK}; }}
body {{ display: flex; flex-direction: column; font-family: Verdana, "DejaVu Sans", sans-serif; }}
#bar {{ padding: 4px; }} #bar button {{ min-width: 2em; }}
#note {{ margin: 0; padding: 4px; height: 2.6em; overflow: auto; font-size: 12px; }}
svg {{ flex: 1; min-height: 0; width: 100%; touch-action: none; }}
text {{ text-anchor: middle; dominant-baseline: central; fill: {INK}; }}
.start {{ text-anchor: start; }} .end {{ text-anchor: end; }}
.name {{ font-size: {NAME}px; }} .small {{ font-size: {SMALL}px; }} .heavy .name, .l.heavy text {{ font-weight: bold; }}
.n {{ cursor: grab; }} .n polygon, .n polyline {{ fill: #fff; stroke: {INK}; stroke-width: .9; }}
.n.heavy polygon, .n.heavy polyline {{ fill: {FILL}; stroke: {HEAVY}; stroke-width: 1.8; }}
.n .inner {{ fill: none !important; stroke-width: .8 !important; }} .n circle {{ fill: {HEAVY}; }}
.n:focus {{ outline: none; }} .n:focus polygon, .n:hover polygon {{ stroke-width: 3; }}
.e path {{ fill: none; stroke: {LIGHT}; }} .e.heavy path {{ stroke: {HEAVY}; }}
.e .grip {{ stroke: transparent !important; stroke-width: 9; }}
.l rect {{ fill: #fff; }} .l text {{ font-size: {SMALL}px; }}
.dim .e:not(.lit), .dim .l:not(.lit), .dim .n:not(.lit) {{ opacity: .15; }}
"""

_SCRIPT = """
'use strict';
const svg = document.querySelector('svg'), note = document.getElementById('note');
const boxes = new Map(), lines = [];
for (const g of svg.querySelectorAll('.n')) {
  const d = g.dataset, at = {g, x: +d.x, y: +d.y, w: +d.w, x0: +d.x, y0: +d.y};
  boxes.set(d.k, at);
}
for (const g of svg.querySelectorAll('.e')) {
  const d = g.dataset, l = svg.querySelector('.l[data-i="' + d.i + '"]');
  const via = d.via ? d.via.split(' ').map(p => p.split(',').map(Number)) : [];
  lines.push({g, l, s: boxes.get(d.s), t: boxes.get(d.t), via, bow: d.bow === '1'});
}
function course(e) {
  if (e.bow) {  // the control points follow the circle next to them
    const beside = (o, c) => `${c[0] + .7 * (o.x - o.x0)} ${c[1] + .7 * (o.y - o.y0)}`;
    return `M${e.s.x} ${e.s.y}C${beside(e.s, e.via[0])} ${beside(e.t, e.via[1])} ${e.t.x} ${e.t.y}`;
  }
  const right = e.t.x >= e.s.x ? 1 : -1;
  let x = e.s.x + right * e.s.w / 2, y = e.s.y;
  let path = `M${x} ${y}`;
  for (const [a, b] of [...e.via, [e.t.x - right * e.t.w / 2, e.t.y]]) {
    const half = (a - x) / 2;
    path += `C${x + half} ${y} ${a - half} ${b} ${a} ${b}`;
    [x, y] = [a, b];
  }
  return path;
}
function draw(box) {
  box.g.setAttribute('transform', `translate(${box.x} ${box.y})`);
  for (const e of lines) if (e.s === box || e.t === box) {
    for (const p of e.g.querySelectorAll('path')) p.setAttribute('d', course(e));
    const x = (e.s.x - e.s.x0 + e.t.x - e.t.x0) / 2, y = (e.s.y - e.s.y0 + e.t.y - e.t.y0) / 2;
    if (e.l) e.l.setAttribute('transform', `translate(${x} ${y})`);
  }
}
function light(found, text) {
  svg.classList.toggle('dim', found.length > 0);
  for (const g of svg.querySelectorAll('.lit')) g.classList.remove('lit');
  for (const g of found) if (g) g.classList.add('lit');
  note.textContent = text;
}
const said = g => g.querySelector('title').textContent.split('\\n').join(' · ');
for (const box of boxes.values()) {
  const near = [box.g];
  for (const e of lines) if (e.s === box || e.t === box) near.push(e.g, e.l, e.s.g, e.t.g);
  for (const name of ['pointerenter', 'focus']) box.g.addEventListener(name, () => light(near, said(box.g)));
  for (const name of ['pointerleave', 'blur']) box.g.addEventListener(name, () => light([], ''));
  box.g.addEventListener('keydown', k => {
    const by = {ArrowLeft: [-8, 0], ArrowRight: [8, 0], ArrowUp: [0, -8], ArrowDown: [0, 8]}[k.key];
    if (by) { box.x += by[0]; box.y += by[1]; draw(box); k.preventDefault(); }
  });
}
for (const e of lines) for (const g of [e.g, e.l]) if (g) {
  g.addEventListener('pointerenter', () => light([e.g, e.l, e.s.g, e.t.g], said(e.g)));
  g.addEventListener('pointerleave', () => light([], ''));
}
const whole = svg.getAttribute('viewBox').split(' ').map(Number);
let view = [...whole], held = null;
const show = () => svg.setAttribute('viewBox', view.join(' '));
const scale = () => { const m = svg.getScreenCTM(); return m ? 1 / m.a : 1; };
function zoom(by, x = view[0] + view[2] / 2, y = view[1] + view[3] / 2) {
  by = Math.min(Math.max(by, whole[2] / view[2] / 8), 4 * whole[2] / view[2]);
  view = [x - (x - view[0]) * by, y - (y - view[1]) * by, view[2] * by, view[3] * by];
  show();
}
svg.addEventListener('pointerdown', p => {
  const g = p.target.closest('.n');
  held = {box: g ? boxes.get(g.dataset.k) : null, x: p.clientX, y: p.clientY};
  svg.setPointerCapture(p.pointerId);
});
svg.addEventListener('pointermove', p => {
  if (!held) return;
  const by = scale(), dx = (p.clientX - held.x) * by, dy = (p.clientY - held.y) * by;
  if (held.box) { held.box.x += dx; held.box.y += dy; draw(held.box); }
  else { view[0] -= dx; view[1] -= dy; show(); }
  held.x = p.clientX; held.y = p.clientY;
});
for (const name of ['pointerup', 'pointercancel']) svg.addEventListener(name, () => { held = null; });
svg.addEventListener('wheel', w => {
  if (!w.ctrlKey && !w.metaKey) return;  // the page scrolls
  w.preventDefault();
  const at = new DOMPoint(w.clientX, w.clientY).matrixTransform(svg.getScreenCTM().inverse());
  zoom(w.deltaY > 0 ? 1.15 : 1 / 1.15, at.x, at.y);
}, {passive: false});
const press = (id, what) => document.getElementById(id).addEventListener('click', what);
press('in', () => zoom(1 / 1.3));
press('out', () => zoom(1.3));
press('reset', () => {
  view = [...whole]; show();
  for (const box of boxes.values()) { box.x = box.x0; box.y = box.y0; draw(box); }
});
document.getElementById('bar').hidden = false;
"""

_BAR = (
    '<div id="bar" hidden><button id="in" aria-label="zoom in">+</button> <button id="out" aria-label="zoom out">−'
    '</button> <button id="reset">reset</button> <small>drag boxes or the ground; Ctrl and wheel to zoom</small></div>'
)
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"


def page(drawing: Drawing) -> str:
    """The drawing beside its list, as one piece of HTML that needs nothing else."""
    items = "".join(f'<li style="margin-bottom:.4em">{escape(sentence)}</li>' for sentence in drawing.sentences)
    listed = f"<ol>{items}</ol>" if items else ""
    high = min(_TALL, 1.25 * (drawing.height + 2 * EDGE)) + _BARS
    frame = (
        f'<iframe sandbox="allow-scripts" title="{escape(drawing.alt)}" srcdoc="{escape(_document(drawing))}" '
        f'style="flex:3 1 34rem;min-width:0;height:{high:.0f}px;border:1px solid #bbb;background:#fff"></iframe>'
    )
    words = (
        '<div style="flex:1 1 16rem;min-width:0;overflow-wrap:anywhere">'
        f"<strong>{escape(drawing.title)}</strong>{listed}"
        f"<p><small>{escape(drawing.key)}</small></p></div>"
    )
    return f'<div style="display:flex;flex-wrap:wrap;gap:1rem;align-items:flex-start">{frame}{words}</div>'


def _document(drawing: Drawing) -> str:
    keys = {box.key: str(number) for number, box in enumerate(drawing.boxes)}
    lines = "".join(_line(drawing, line, keys, number) for number, line in enumerate(drawing.lines))
    labels = "".join(_label(line, number) for number, line in enumerate(drawing.lines) if line.label)
    boxes = "".join(_box(box, keys[box.key]) for box in drawing.boxes)
    view = f"{-EDGE} {-EDGE} {drawing.width + 2 * EDGE:.1f} {drawing.height + 2 * EDGE:.1f}"
    tip = '<path d="M0 0L8 3L0 6z" fill="{}"/></marker>'
    size = 'viewBox="0 0 8 6" refX="8" refY="3" markerUnits="userSpaceOnUse" orient="auto"'
    markers = (
        f'<marker id="light" markerWidth="6" markerHeight="4.5" {size}>{tip.format(LIGHT)}'
        f'<marker id="heavy" markerWidth="9" markerHeight="7" {size}>{tip.format(HEAVY)}'
    )
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(drawing.title)}</title>'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}"><style>{_STYLE}</style></head><body>{_BAR}'
        f'<svg viewBox="{view}" role="group" aria-label="{escape(drawing.alt)}"><defs>{markers}</defs>'
        f'{lines}{labels}{boxes}</svg><p id="note" aria-live="polite"></p><script>{_SCRIPT}</script></body></html>'
    )


def _line(drawing: Drawing, line: Line, keys: dict[str, str], number: int) -> str:
    path = "M{:.1f} {:.1f}".format(*ends(drawing, line)[0]) + "".join(
        f"C{one.x:.1f} {one.y:.1f} {two.x:.1f} {two.y:.1f} {end.x:.1f} {end.y:.1f}"
        for one, two, end in curves(drawing, line)
    )
    via = " ".join(f"{bend.x:.1f},{bend.y:.1f}" for bend in line.bends)
    kind = "heavy" if line.heavy else "light"
    drawn = f'stroke-width="{line.width:.2f}"' + (' stroke-dasharray="6 3"' if line.dashed else "")
    drawn += "" if line.bow else f' marker-end="url(#{kind})"'
    return (
        f'<g class="e {kind}" data-i="{number}" data-s="{keys[line.source]}" data-t="{keys[line.target]}" '
        f'data-via="{via}" data-bow="{int(line.bow)}"><title>{escape(line.note)}</title>'
        f'<path d="{path}" {drawn}/><path class="grip" d="{path}"/></g>'
    )


def _label(line: Line, number: int) -> str:
    x, y = line.label_at
    wide, high = breadth(line.label, SMALL) + 2, SMALL * 1.3
    return (
        f'<g class="l {"heavy" if line.heavy else "light"}" data-i="{number}"><rect x="{x - wide / 2:.1f}" '
        f'y="{y - high / 2:.1f}" width="{wide:.1f}" height="{high:.1f}"/>'
        f'<text x="{x:.1f}" y="{y:.1f}">{escape(line.label)}</text></g>'
    )


def _box(box: Box, key: str) -> str:
    def around(size: Point, name: str = "") -> str:
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in outline(box.shape, size))
        return f'<{"polyline" if box.shape == "value" else "polygon"} class="{name}" points="{points}"/>'

    drawn = around(box.size) + (around(Point(box.size.x - 6, box.size.y - 6), "inner") if box.framed else "")
    drawn += "".join(f'<circle cx="{dot.x:.1f}" cy="{dot.y:.1f}" r="1.4"/>' for dot in box.dots)
    words = "".join(
        f'<text class="{"small" if text.small else "name"} {text.anchor}" x="{text.at.x:.1f}" y="{text.at.y:.1f}">'
        f"{escape(text.text)}</text>"
        for text in texts(box)
    )
    # A value has no outline to point at.
    grip = f'<rect x="{-box.size.x / 2:.1f}" y="{-box.size.y / 2:.1f}" width="{box.size.x:.1f}" '
    grip += f'height="{box.size.y:.1f}" fill="{FILL if box.shape == "value" else "none"}"/>'
    return (
        f'<g class="n{" heavy" if box.heavy else ""}" tabindex="0" data-k="{key}" data-x="{box.at.x:.1f}" '
        f'data-y="{box.at.y:.1f}" data-w="{box.size.x:.1f}" transform="translate({box.at.x:.1f} {box.at.y:.1f})">'
        f"<title>{escape(box.note)}</title>{grip}{drawn}{words}</g>"
    )
