(async () => {
  const [answers, { status }] = [await orders.refresh({ at: 0, times: 3, pauses: 30 }), await call()];
  const statuses = [...answers.map((answer) => answer.status), status];
  document.title = statuses.every((it) => it === 200) ? 'signed in' : `signed out: ${statuses}`;
})();
