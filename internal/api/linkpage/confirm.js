
const main = document.querySelector("main");
const text = document.getElementById("text");
const button = document.getElementById("confirm");
button.addEventListener("click", async () => {
  button.disabled = true;
  let answer;
  try {
    answer = await fetch("v1/consents/confirm", {
      method: "POST",
      headers: {"Content-Type": "application/json"},
      body: JSON.stringify({token: location.hash.slice(1)}),
    });
  } catch {
    answer = {ok: false, status: 0};
  }
  if (answer.ok) {
    text.textContent = main.dataset.done;
    button.remove();
    history.replaceState(null, "", location.pathname);
  } else if (answer.status === 422) {
    text.textContent = main.dataset.invalid;
    button.remove();
  } else {
    text.textContent = main.dataset.failed;
    button.disabled = false;
  }
});
