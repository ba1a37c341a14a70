import { useState } from 'preact/hooks';

/** Asks for an operator's token. `reason`: why the one before, or the session, is not good. */
export function SignIn({
  reason,
  onToken,
}: {
  reason?: string | undefined;
  onToken: (token: string) => void;
}) {
  const [token, setToken] = useState('');
  return (
    <main class="sign-in">
      <h1>Bowline</h1>
      <p>This page shows a fleet of devices and sends them orders, so it asks who you are.</p>
      {reason !== undefined && (
        <p class="problem" role="alert">
          Not signed in: {reason}
        </p>
      )}
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (token.trim() !== '') onToken(token.trim());
        }}
      >
        {/* A password store files the token under a name. */}
        <input type="text" name="username" autocomplete="username" value="operator" readOnly hidden />
        <label for="token">Operator token</label>
        <input
          id="token"
          type="password"
          autocomplete="current-password"
          spellcheck={false}
          required
          autofocus
          value={token}
          onInput={(event) => setToken(event.currentTarget.value)}
          aria-describedby="token-help"
        />
        <button type="submit">Sign in</button>
      </form>
      <div id="token-help" class="help">
        <p>
          <code>npm start</code> prints a link to this page with the first token in it. To see that again:
        </p>
        <pre>
          <code>cat .bowline/server/operator-token</code>
        </pre>
        <p>
          The page exchanges it for a session of this browser, and keeps it nowhere. An admin makes a token
          for you with <code>npx bowline fleet operators add NAME</code>.
        </p>
      </div>
    </main>
  );
}
