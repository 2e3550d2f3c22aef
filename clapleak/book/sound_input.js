// A button that records and a field for a file. The browser decodes both; Python gets mono samples and their rate.
async function decode(blob, seconds) {
  const context = new AudioContext();
  try {
    const sound = await context.decodeAudioData(await blob.arrayBuffer());
    const mono = new Float32Array(Math.min(sound.length, Math.round(seconds * sound.sampleRate)));
    for (let channel = 0; channel < sound.numberOfChannels; channel++) {
      const samples = sound.getChannelData(channel);
      for (let i = 0; i < mono.length; i++) mono[i] += samples[i] / sound.numberOfChannels;
    }
    return { mono, rate: Math.round(sound.sampleRate) };
  } finally {
    context.close();
  }
}

async function record(seconds) {
  const microphone = await navigator.mediaDevices.getUserMedia({ audio: true });
  try {
    const recorder = new MediaRecorder(microphone), parts = [];
    recorder.ondataavailable = (event) => parts.push(event.data);
    const stopped = new Promise((resolve) => { recorder.onstop = resolve; });
    recorder.start();
    setTimeout(() => recorder.stop(), 1000 * seconds + 200); // the encoder is late by some milliseconds
    await stopped;
    return new Blob(parts, { type: recorder.mimeType });
  } finally {
    microphone.getTracks().forEach((track) => track.stop());
  }
}

function render({ model, el }) {
  const seconds = model.get("seconds");
  const button = document.createElement("button"), label = document.createElement("label");
  const field = document.createElement("input"), status = document.createElement("output");
  const player = document.createElement("audio");
  button.textContent = `Record ${seconds} s`;
  button.className = "jupyter-button";
  field.type = "file";
  field.accept = "audio/*";
  label.append("or a file: ", field);
  status.textContent = "No sound yet: the test clip is heard.";
  player.controls = true;
  player.hidden = true;
  player.setAttribute("aria-label", "your sound");

  async function take(name, source) {
    button.disabled = field.disabled = true;
    try {
      const blob = await source();
      const { mono, rate } = await decode(blob, seconds);
      URL.revokeObjectURL(player.src);
      player.src = URL.createObjectURL(blob);
      player.hidden = false;
      status.textContent = `${name}: its first ${(mono.length / rate).toFixed(1)} s are heard.`;
      model.set("name", name);
      model.set("rate", rate);
      model.set("samples", new DataView(mono.buffer));
      model.save_changes();
    } catch (error) {
      const causes = {
        EncodingError: "this browser cannot decode it; try wav, mp3 or ogg",
        NotAllowedError: "the microphone is not allowed here; use a file",
        NotFoundError: "there is no microphone; use a file",
      };
      status.textContent = `${name}: ${causes[error.name] ?? error.message}`;
    } finally {
      button.disabled = field.disabled = false;
    }
  }

  button.addEventListener("click", () => {
    status.textContent = "Recording ...";
    take("your recording", () => record(seconds));
  });
  field.addEventListener("change", () => {
    const file = field.files[0];
    if (file) take(file.name, async () => file);
  });
  el.style.cssText = "display: flex; flex-wrap: wrap; align-items: center; gap: 0.5em 1em; margin: 0.3em 0";
  el.append(button, label, status, player);
}

export default { render };
