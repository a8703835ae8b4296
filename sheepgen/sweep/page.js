"use strict";
const controls = document.getElementById("controls");
const filters = [...controls.querySelectorAll("select")];
const marked = [...document.querySelectorAll("[data-at]")].map((each) => [each, each.dataset.at.split(" ")]);
const slider = document.getElementById("step");

function filter() {
  const chosen = filters.filter((each) => each.value !== "");
  for (const [element, places] of marked) {
    element.hidden = chosen.some((each) =>
      places.some((place) => place.startsWith(`${each.name}:`) && place !== `${each.name}:${each.value}`));
  }
}

function show() {
  const share = Number(slider.value) / Number(slider.max);
  for (const image of document.querySelectorAll("img[data-tiles]")) {
    const last = Number(image.dataset.tiles) - 1;
    if (last > 0) image.style.objectPosition = `${100 * Math.round(share * last) / last}% 0`;
  }
  const name = slider.dataset.names.split("|")[Number(slider.value)];
  document.getElementById("shown").value = name;
  slider.setAttribute("aria-valuetext", name);
}

for (const each of filters) each.addEventListener("change", filter);
if (slider) {
  slider.addEventListener("input", show);
  show();
}
controls.addEventListener("submit", (event) => event.preventDefault());
controls.hidden = !filters.length && !slider;
if (filters.length) filter();
