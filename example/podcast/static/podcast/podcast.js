// Two things that a page without scripts can do without: a progress bar, and a button that copies.

const MEGABYTE = 1024 ** 2

function showProgress(form, loaded, total) {
  const percent = Math.floor((100 * loaded) / total)
  form.querySelector("progress").value = percent
  const text = form.querySelector("#progress-text")
  const told = Math.floor(percent / 10) * 10
  // A screen reader is told of every tenth, not of every packet.
  if (text.dataset.told !== String(told)) {
    text.dataset.told = told
    text.textContent = `${told} % of ${(total / MEGABYTE).toFixed(1)} MB`
  }
}

function showAnswer(html) {
  const answer = new DOMParser().parseFromString(html, "text/html")
  document.querySelector("main").replaceWith(answer.querySelector("main"))
  document.title = answer.title
  document.querySelector("#errors")?.focus()
  prepare()
}

function refuse(form, message) {
  const text = form.querySelector("#progress-text")
  form.querySelector(".progress").hidden = false
  text.textContent = message
  form.querySelector("button.button").disabled = false
}

function upload(event) {
  event.preventDefault()
  const form = event.target
  const audio = form.querySelector("[data-limit]")
  if (audio.files[0]?.size > Number(audio.dataset.limit)) {
    refuse(form, "This file is too large.")
    audio.focus()
    return
  }
  const request = new XMLHttpRequest()
  request.open("POST", form.action)
  request.upload.addEventListener("progress", ({ loaded, total }) => showProgress(form, loaded, total))
  request.addEventListener("load", () => {
    if (request.status < 400) window.location.assign(request.responseURL)
    else if (request.status === 400) showAnswer(request.responseText)
    else refuse(form, "The upload was refused. Reload the page and try again.")
  })
  request.addEventListener("error", () => refuse(form, "The connection broke. Please try again."))
  form.querySelector("button.button").disabled = true
  form.querySelector(".progress").hidden = false
  request.send(new FormData(form))
}

function prepare() {
  document.querySelector("[data-progress]")?.addEventListener("submit", upload)
  for (const button of document.querySelectorAll("[data-copy]")) {
    if (!navigator.clipboard) continue
    button.hidden = false
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).value)
      button.textContent = "Copied"
    })
  }
}

prepare()
