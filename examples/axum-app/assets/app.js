// A browser client for cookie-refreshed access tokens, in three parts:
//
//   1. Session  the access token, and how it is got, renewed and forgotten
//   2. Calls    send() and api(): what to do about 401 and 503
//   3. Page     everything that touches the DOM
//
// Parts 1 and 2 know nothing of the page; copy them into your own client.

// ---------------------------------------------------------------------------
// 1. Session
// ---------------------------------------------------------------------------

// The access token lives in this variable and nowhere else. Web storage and the
// DOM can be read by any script that gets into the page, and storage would also
// outlive the tab. A reload loses the token, which does no harm: the refresh
// cookie, which no script can read, gets a new one.
let accessToken = null;

// When the token expires by *this* machine's clock, worked out from expires_in.
// An absolute time from the server would be wrong wherever the clocks differ.
let expiresAt = 0;

// Counts sign-ins and sign-outs. An answer to a call begun in an earlier era may
// belong to another user, so it is dropped, and the call is not repeated.
let era = 0;

// The refresh under way, shared by all who wait for it.
let refreshing = null;

/** The session has ended: only a sign-in helps. */
class SessionOver extends Error {}

/** No usable answer came. It says nothing about the session: do not sign out. */
class Unavailable extends Error {}

/** The user signed in or out while the call was under way: drop it. */
class Superseded extends Error {}

function beginEra() {
  era += 1;
  accessToken = null;
  refreshing = null;
}

function requireEra(expected) {
  if (era !== expected) throw new Superseded();
}

function keepToken({ access_token, expires_in }) {
  accessToken = access_token;
  expiresAt = Date.now() + expires_in * 1000;
}

// A refresh replaces the cookie, and the cookie is shared by all tabs. The server
// answers tabs that refresh at once with the same cookie, so none of them is signed
// out. Taking turns saves requests, and keeps the late answer of an old session from
// replacing the cookie of a new sign-in. (Web Locks exist in secure contexts only,
// which includes http://localhost; elsewhere we go without.)
function withCookieLock(work) {
  return navigator.locks ? navigator.locks.request('auth-cookie', work) : work();
}

// Notifies the other tabs *that* something happened. Never put a token in a message.
const tabs = new BroadcastChannel('auth');

/** Signs in. Returns false if the user name or the password is wrong. */
function login(username, password) {
  return withCookieLock(async () => {
    const answer = await send('/auth/login', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ username, password }),
    });
    if (answer.status === 401) return false;
    if (!answer.ok) throw unexpected(answer);
    beginEra();
    keepToken(answer.body);
    // The cookie now belongs to this sign-in, in every tab.
    tabs.postMessage({ type: 'signed-in' });
    return true;
  });
}

/**
 * Gets a new access token. However many callers ask at once, one request is sent
 * and all of them wait for it.
 */
function refresh() {
  if (!refreshing) {
    const mine = refreshOnce().finally(() => {
      if (refreshing === mine) refreshing = null;
    });
    refreshing = mine;
  }
  return refreshing;
}

function refreshOnce() {
  const startedIn = era;
  return withCookieLock(async () => {
    requireEra(startedIn); // we may have waited long for the lock
    const answer = await send('/auth/refresh', { method: 'POST' });
    requireEra(startedIn);
    // Only a 401 ends the session. A server that is down, restarting or
    // unreachable must not cost users their sign-in.
    if (answer.status === 401) {
      beginEra();
      throw new SessionOver();
    }
    if (!answer.ok) throw unexpected(answer);
    keepToken(answer.body);
  });
}

/** Ends this session. If it throws, the user is still signed in. */
async function logout() {
  // Do not drop the token before the server has agreed. With the cookie still
  // good, the next page load would sign in again whoever is at the keyboard.
  const answer = await withCookieLock(() => send('/auth/logout', withBearer({ method: 'POST' })));
  if (!answer.ok && answer.status !== 401) throw unexpected(answer);
  endSession();
}

/** Ends all of the user's sessions, on all machines. */
async function logoutEverywhere() {
  const answer = await api('/auth/logout-all', { method: 'POST' });
  if (!answer.ok) throw unexpected(answer);
  endSession();
}

/** Forgets a session that has been ended on the server, here and in other tabs. */
function endSession() {
  beginEra();
  tabs.postMessage({ type: 'signed-out' });
}

// ---------------------------------------------------------------------------
// 2. Calls
// ---------------------------------------------------------------------------

const MAX_ATTEMPTS = 3;
const MAX_WAIT_MS = 5_000;
const TIMEOUT_MS = 15_000;

/**
 * Calls the API as the signed-in user, and returns { ok, status, headers, body }.
 * Renews the access token if need be; the caller sees only the final answer.
 */
async function api(path, options = {}) {
  const startedIn = era;
  const sentToken = accessToken;
  if (!sentToken) throw new SessionOver();

  let answer = await send(path, withBearer(options));
  requireEra(startedIn);

  if (isStaleToken(answer)) {
    // If the token has changed since we sent ours, another call has renewed it
    // already, and a second refresh would be a waste.
    if (accessToken === sentToken) await refresh();
    requireEra(startedIn);
    // Once only: a fresh token that is refused will not do better the third time.
    answer = await send(path, withBearer(options));
    requireEra(startedIn);
  }
  return answer;
}

// Not every 401 means a stale token. `insufficient_user_authentication` asks for a
// newer *sign-in*; a refresh does not make the sign-in newer, so it does not help.
function isStaleToken({ status, body }) {
  return status === 401 && (body?.error === undefined || body.error === 'invalid_token');
}

function withBearer(options) {
  return { ...options, headers: { ...options.headers, Authorization: `Bearer ${accessToken}` } };
}

/** fetch() with a time limit, parsed JSON, and repeats after a 503. */
async function send(path, options) {
  // Whatever `path` holds, the token and the password go to our own server only.
  const url = new URL(path, location.origin);
  if (url.origin !== location.origin) throw new TypeError(`not our server: ${url.origin}`);

  for (let attempt = 1; ; attempt += 1) {
    const answer = await sendOnce(url, options);
    if (answer.status !== 503) return answer;

    // A repeat is safe even for a POST: the API responds 503 before it has done
    // anything, and it does no harm to sign in, refresh or log out once more.
    // Without Retry-After, or with a long one, leave it to the user.
    const wait = retryAfterMs(answer.headers.get('Retry-After'));
    if (wait === null || wait > MAX_WAIT_MS || attempt === MAX_ATTEMPTS) {
      throw new Unavailable('Service unavailable, try again.');
    }
    await new Promise((resolve) => setTimeout(resolve, wait));
  }
}

async function sendOnce(url, options) {
  try {
    const response = await fetch(url, {
      ...options,
      cache: 'no-store', // answers belong to one user: keep them off the disk
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const { ok, status, headers } = response;
    return { ok, status, headers, body: parseJson(await response.text()) };
  } catch (cause) {
    throw new Unavailable('The server cannot be reached, try again.', { cause });
  }
}

function parseJson(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null; // no body, or a proxy's error page
  }
}

/** Retry-After is a number of seconds or a date. Null if it is absent or malformed. */
function retryAfterMs(value) {
  if (!value) return null;
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return Number.isNaN(ms) ? null : Math.max(ms, 0);
}

function unexpected({ status, body }) {
  const reason = body?.error_description ?? body?.error;
  return new Unavailable(`The server answered ${status}${reason ? `: ${reason}` : ''}.`);
}

// ---------------------------------------------------------------------------
// 3. Page
// ---------------------------------------------------------------------------

const $ = (id) => document.getElementById(id);
const stepUpDialog = $('step-up');
const wrongPassword = 'Wrong user name or password.';

let profile = null; // what /api/me said
let typedUsername = ''; // for the next time the password is asked for

// --- Views

function showView(name) {
  for (const view of ['starting', 'signed-out', 'signed-in']) $(view).hidden = view !== name;
  $('sign-out').hidden = name !== 'signed-in';
}

function showMessage(text, kind = 'info') {
  $('message').dataset.kind = kind;
  $('message').textContent = text;
}

function showSignedOut(text = '', kind = 'info') {
  if (stepUpDialog.open) stepUpDialog.close();
  // Nothing of the last user may stay behind in the page for the next one.
  profile = null;
  typedUsername = '';
  showProfile();
  showAnswer('No call made yet.');
  $('sessions').replaceChildren();
  showView('signed-out');
  showMessage(text, kind);
  // With a message, this follows from something that happened; on a plain page
  // load there is no message, and moving the focus would be a surprise.
  if (text) $('username').focus();
}

async function showSignedIn() {
  showView('signed-in');
  // Both at once: should both meet a stale token, they share one refresh.
  await Promise.all([loadProfile(), loadSessions()]);
}

/** Runs at page load, and again when another tab has signed in. */
async function start() {
  showView('starting');
  $('starting-text').textContent = 'Looking for your session…';
  $('try-again').hidden = true;
  try {
    await refresh();
  } catch (error) {
    if (error instanceof SessionOver) showSignedOut();
    else if (error instanceof Unavailable) {
      // Signed in or not? We cannot know, so do not ask for a password yet.
      $('starting-text').textContent = error.message;
      $('try-again').hidden = false;
    } else if (!(error instanceof Superseded)) throw error;
    return;
  }
  await showSignedIn();
}

// --- Profile

async function loadProfile() {
  const answer = await api('/api/me');
  if (!answer.ok) throw unexpected(answer);
  profile = answer.body;
  showProfile();
}

function showProfile() {
  $('profile-name').textContent = profile?.name ?? '…';
  $('profile-subject').textContent = profile?.subject ?? '…';
  $('profile-auth-time').replaceChildren(profile ? timeElement(profile.auth_time) : '…');
  const scopes = profile?.scope?.split(' ').filter(Boolean) ?? [];
  $('profile-scope').replaceChildren(
    ...(scopes.length ? scopes.flatMap((scope) => [element('code', scope), ' ']) : ['none']),
  );
  showCountdown();
}

function showCountdown() {
  if (!accessToken) return;
  const left = Math.ceil((expiresAt - Date.now()) / 1000);
  const minutes = Math.floor(left / 60);
  const seconds = String(left % 60).padStart(2, '0');
  $('token-countdown').textContent =
    left > 0 ? `expires in ${minutes}:${seconds}` : 'expired; the next call renews it';
}

// --- Calling the API

async function callAndShow(method, path, body) {
  const title = `${method} ${path}`;
  showAnswer(`${title} …`);
  try {
    const answer = await api(path, {
      method,
      ...(body && {
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify(body),
      }),
    });
    showAnswer(`${title} → ${answer.status}`, answer);
    return answer;
  } catch (error) {
    if (error instanceof Unavailable) showAnswer(`${title} → no answer`);
    throw error;
  }
}

function showAnswer(title, answer) {
  const { status, body = null } = answer ?? {};
  $('answer').dataset.status = status ?? '';
  $('answer-status').textContent = title;
  $('answer-body').hidden = body === null;
  $('answer-body').textContent = body === null ? '' : JSON.stringify(body, null, 2);
}

/** A call that may need a recent sign-in: ask for it, then make the call again. */
async function transfer() {
  const call = () => callAndShow('POST', '/api/transfer', { to: 'bob', amount: 10 });
  const answer = await call();
  if (answer.status !== 401 || answer.body?.error !== 'insufficient_user_authentication') return;

  const before = profile?.subject;
  if (!(await stepUp(answer.headers.get('WWW-Authenticate')))) {
    if (accessToken) showMessage('Nothing was sent.'); // else another tab signed out
    return;
  }
  await showSignedIn(); // a new sign-in time, and a new session in the list
  // The password may have been another user's, who has not asked for a transfer.
  if (profile.subject !== before) {
    showMessage(`You are now signed in as ${profile.name}. Nothing was sent.`, 'error');
    return;
  }
  await call();
}

/** Asks for the password. Resolves to true once the user has signed in again. */
function stepUp(challenge) {
  const maxAge = Number(/max_age="?(\d+)/.exec(challenge)?.[1]);
  $('step-up-reason').textContent = maxAge
    ? `This needs a sign-in from the last ${duration(maxAge)}.`
    : 'This needs a more recent sign-in.';
  $('step-up-message').textContent = '';
  $('step-up-form').reset();
  $('step-up-username').value = typedUsername || profile?.subject || '';
  stepUpDialog.returnValue = ''; // what Escape leaves
  stepUpDialog.showModal();
  return new Promise((resolve) => {
    const done = () => resolve(stepUpDialog.returnValue === 'signed-in');
    stepUpDialog.addEventListener('close', done, { once: true });
  });
}

// --- Sessions

async function loadSessions() {
  const answer = await api('/auth/sessions');
  if (!answer.ok) throw unexpected(answer);
  const currentFirst = answer.body.sessions.sort((a, b) => b.current - a.current);
  $('sessions').replaceChildren(...currentFirst.map(sessionItem));
}

function sessionItem(session) {
  const browser = browserName(session.user_agent);

  const title = element('p', browser, 'session-title');
  if (session.current) title.append(' ', element('span', 'this session', 'badge'));

  const facts = element('div', '', 'session-facts');
  for (const fact of [
    [session.address ?? 'Address unknown'],
    ['Created ', timeElement(session.created_at)],
    ['Last seen ', timeElement(session.last_seen)],
  ]) {
    const line = element('p');
    line.append(...fact);
    facts.append(line);
  }

  const end = element('button', 'End');
  end.type = 'button';
  end.dataset.end = session.id;
  end.setAttribute('aria-label', `End ${session.current ? 'this session' : `the session of ${browser}`}`);
  onClick(end, () => endOneSession(session));

  const about = element('div', '', 'session-about');
  about.append(title, facts, element('p', session.user_agent ?? '', 'session-agent'));
  const item = element('li');
  item.dataset.sessionId = session.id;
  item.append(about, end);
  return item;
}

async function endOneSession({ id, current }) {
  const answer = await api(`/auth/sessions/${encodeURIComponent(id)}`, { method: 'DELETE' });
  // 404: it ended by itself in the meantime, which is what the user wanted.
  if (!answer.ok && answer.status !== 404) throw unexpected(answer);
  if (current) {
    endSession();
    showSignedOut('You are signed out.');
    return;
  }
  await loadSessions();
  showMessage('The session has been ended.');
  $('sessions-title').focus(); // the button that had the focus is gone
}

// A hint for people, from a string any client can make up: decide nothing by it.
function browserName(agent) {
  const find = (names) => names.find(([pattern]) => pattern.test(agent ?? ''))?.[1];
  const browser = find([
    [/\bEdg/, 'Edge'], [/\bOPR\//, 'Opera'], [/\bFirefox\/|FxiOS/, 'Firefox'],
    [/\bChrome\/|CriOS|HeadlessChrome/, 'Chrome'], [/\bSafari\//, 'Safari'], [/^curl\//, 'curl'],
  ]);
  const system = find([
    [/Android/, 'Android'], [/iPhone|iPad/, 'iOS'], [/Windows/, 'Windows'],
    [/Mac OS X/, 'macOS'], [/Linux/, 'Linux'],
  ]);
  return [browser ?? 'Unknown browser', system].filter(Boolean).join(' on ');
}

// --- Small helpers

// Text always goes in as text, never as HTML: names and user agents are chosen by
// others, and must not become markup in this page.
function element(tag, text = '', className = '') {
  const node = document.createElement(tag);
  node.textContent = text;
  if (className) node.className = className;
  return node;
}

const timeFormat = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' });

function timeElement(unixSeconds) {
  if (!Number.isFinite(unixSeconds)) return element('span', 'unknown');
  const date = new Date(unixSeconds * 1000);
  const node = element('time', timeFormat.format(date));
  node.dateTime = date.toISOString();
  return node;
}

function duration(seconds) {
  const [n, unit] = seconds < 60 ? [seconds, 'second'] : [Math.round(seconds / 60), 'minute'];
  return n === 1 ? unit : `${n} ${unit}s`;
}

/** Runs what the user asked for, once at a time, and reports what goes wrong. */
async function perform(button, work) {
  // Not `disabled`, which would take the focus away from keyboard users.
  if (button.getAttribute('aria-busy') === 'true') return;
  button.setAttribute('aria-busy', 'true');
  showMessage('');
  try {
    await work();
  } catch (error) {
    report(error);
  } finally {
    button.removeAttribute('aria-busy');
  }
}

function report(error) {
  if (error instanceof Superseded) return;
  if (error instanceof SessionOver) {
    showSignedOut('Your session is over. Please sign in again.');
  } else if (error instanceof Unavailable) {
    showMessage(error.message + (accessToken ? ' You are still signed in.' : ''), 'error');
  } else {
    console.error(error);
    showMessage('Something went wrong in this page.', 'error');
  }
}

function onClick(button, work) {
  button.addEventListener('click', () => perform(button, work));
}

// --- Events

$('sign-in-form').addEventListener('submit', (event) => {
  event.preventDefault();
  perform($('sign-in'), async () => {
    const username = $('username').value;
    const signedIn = await login(username, $('password').value);
    $('password').value = ''; // right or wrong, do not keep it in the page
    if (!signedIn) {
      showMessage(wrongPassword, 'error');
      $('password').focus();
      return;
    }
    $('sign-in-form').reset();
    typedUsername = username;
    const loaded = showSignedIn();
    $('profile-name').focus(); // the form that had the focus is gone
    await loaded;
  });
});

$('step-up-form').addEventListener('submit', (event) => {
  event.preventDefault();
  // The page behind a modal dialog is not read out: report inside the dialog.
  const say = (text) => { $('step-up-message').textContent = text; };
  say('');
  perform($('step-up-confirm'), async () => {
    try {
      const username = $('step-up-username').value;
      const signedIn = await login(username, $('step-up-password').value);
      $('step-up-password').value = '';
      if (signedIn) {
        typedUsername = username;
        stepUpDialog.close('signed-in');
      } else {
        say(wrongPassword);
        $('step-up-password').focus();
      }
    } catch (error) {
      if (!(error instanceof Unavailable)) throw error;
      say(error.message);
    }
  });
});
$('step-up-cancel').addEventListener('click', () => stepUpDialog.close());

onClick($('try-again'), start);
onClick($('call-me'), () => callAndShow('GET', '/api/me'));
onClick($('call-admin'), () => callAndShow('GET', '/api/admin'));
onClick($('call-transfer'), transfer);
onClick($('refresh'), async () => {
  await refresh();
  showCountdown();
  showMessage('The access token has been renewed.');
});
onClick($('sign-out'), async () => {
  await logout();
  showSignedOut('You are signed out.');
});
onClick($('sign-out-everywhere'), async () => {
  await logoutEverywhere();
  showSignedOut('You are signed out everywhere.');
});

tabs.addEventListener('message', ({ data }) => {
  if (data?.type === 'signed-out' && $('signed-out').hidden) {
    beginEra();
    showSignedOut('You signed out in another tab.');
  } else if (data?.type === 'signed-in') {
    // Perhaps as someone else: start over, lest this page show one user's data
    // and act as another.
    beginEra();
    showSignedOut();
    start().catch(report);
  }
});

setInterval(showCountdown, 1000);
start().catch(report);
