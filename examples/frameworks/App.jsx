// React: every file that is chosen is uploaded, and says how it stands.

import { useUploads } from "quayside-client/react";

export default function App({ endpoint }) {
  const { items, add, remove } = useUploads({ endpoint });
  return (
    <section>
      <input type="file" multiple aria-label="Files" onChange={({ target }) => add(target.files)} />
      <ul>
        {items.map(({ id, file, state, uploadedBytes, error }) => (
          <li key={id}>
            {file.name} <progress value={uploadedBytes} max={file.size} />{" "}
            <output>{error ? error.message : state}</output>
            <button type="button" onClick={() => remove(id)}>
              Remove
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}
