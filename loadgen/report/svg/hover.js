// Shows the values under the pointer in each chart. Without it the page is complete.
'use strict';
for (const figure of document.querySelectorAll('figure.chart')) {
  const data = JSON.parse(figure.dataset.hover);
  const tip = figure.querySelector('.tip');
  const leave = () => {
    tip.hidden = true;
    for (const line of figure.querySelectorAll('.cross')) line.remove();
  };
  const move = (event) => {
    const svg = event.currentTarget;
    const plot = svg.querySelector('.plot');
    const box = plot.getBoundingClientRect();
    const at = (event.clientX - box.left) / box.width;
    leave();
    if (!data.f.length || at < -0.02 || at > 1.02) return;
    let near = 0;
    for (let i = 1; i < data.f.length; i++) if (Math.abs(data.f[i] - at) < Math.abs(data.f[near] - at)) near = i;
    const x = plot.x.baseVal.value + data.f[near] * plot.width.baseVal.value;
    const cross = document.createElementNS('http://www.w3.org/2000/svg', 'path');
    cross.setAttribute('class', 'cross');
    cross.setAttribute('d', `M${x} ${plot.y.baseVal.value}v${plot.height.baseVal.value}`);
    svg.append(cross);
    tip.replaceChildren(document.createElement('b'));
    tip.firstChild.textContent = data.x[near];
    for (const line of data.l) {
      if (!line.v[near]) continue;
      const row = document.createElement('span');
      row.className = `name s${line.c}`;
      row.textContent = `${line.n} ${line.v[near]}`;
      tip.append(row);
    }
    tip.hidden = false;
    const frame = figure.getBoundingClientRect();
    const left = box.left - frame.left + data.f[near] * box.width;
    tip.style.left = `${Math.max(0, Math.min(left + 10, frame.width - tip.offsetWidth))}px`;
    tip.style.top = `${box.top - frame.top + 4}px`;
  };
  for (const svg of figure.querySelectorAll('svg')) {
    svg.addEventListener('pointermove', move);
    svg.addEventListener('pointerleave', leave);
  }
}
