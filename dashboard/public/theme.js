// Runs before the first paint, so that a chosen theme does not flash. A file of its own: the page's policy
// forbids inline scripts. The choice is written by src/context/ThemeContext.tsx.
try {
  const theme = localStorage.getItem('homelog.theme')
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme
} catch {
  // storage is blocked: the system's theme it is
}
