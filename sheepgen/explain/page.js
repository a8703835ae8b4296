
"use strict";
const steps = [...document.querySelectorAll(".steps > li")];
const slider = document.getElementById("step");
const shown = document.getElementById("shown");
function show() {
  const chosen = Number(slider.value);
  steps.forEach((step, number) => { step.hidden = number !== chosen; });
  shown.value = steps[chosen].dataset.step;
  slider.setAttribute("aria-valuetext", `step ${steps[chosen].dataset.step}`);
}
if (steps.length) {
  document.getElementById("slider").hidden = false;
  slider.addEventListener("input", show);
  show();
}
