/** One line of a list of keys: the keys, and what they do. */
export const KeyLine = ({ keys, words }: { keys: string[]; words: string }) => (
  <>
    <dt>
      {keys.map((key) => (
        <kbd key={key}>{key}</kbd>
      ))}
    </dt>
    <dd>{words}</dd>
  </>
);
