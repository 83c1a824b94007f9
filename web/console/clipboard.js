// Copying. Browsers have a clipboard for secure contexts only, so there is a dialog to copy from by hand.
import { one } from "./dom.js";

export async function copy(text, button) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const dialog = one("#copy-dialog");
    const area = one("textarea", dialog);
    area.value = text;
    dialog.showModal();
    area.select();
    return;
  }
  if (button.dataset.label) return;
  button.dataset.label = button.textContent;
  button.textContent = "Copied";
  setTimeout(() => {
    button.textContent = button.dataset.label;
    delete button.dataset.label;
  }, 1500);
}
