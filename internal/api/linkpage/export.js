
const main = document.querySelector("main");
const text = document.getElementById("text");
const button = document.getElementById("confirm");
button.addEventListener("click", async () => {
  button.disabled = true;
  let answer, file;
  try {
    answer = await fetch("v1/exports/fetch", {
      method: "POST",
      headers: {"Content-Type": "application/json"},
      body: JSON.stringify({token: location.hash.slice(1)}),
    });
    file = answer.ok ? await answer.blob() : null;
  } catch {
    answer = {ok: false, status: 0};
  }
  if (answer.ok) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(file);
    link.download = "my-data.zip";
    link.click();
    text.textContent = main.dataset.done;
    history.replaceState(null, "", location.pathname);
  } else {
    text.textContent = answer.status === 422 ? main.dataset.invalid : main.dataset.failed;
  }
  if (answer.ok || answer.status === 422) {
    button.remove();
  } else {
    button.disabled = false;
  }
});

