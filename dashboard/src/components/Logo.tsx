/** The mark of Homelog: a house with a reading that runs through it. */
export function Logo({ size = 22 }: { readonly size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 32 32" fill="none" aria-hidden="true">
      <rect width="32" height="32" rx="7" fill="var(--accent)" />
      <g stroke="var(--accent-ink)" strokeLinejoin="round" strokeLinecap="round">
        <path d="M7 15.5 16 7.5l9 8V25H7z" strokeOpacity=".5" strokeWidth="2" />
        <path d="M4.5 20.5h7l2.6-5 3.8 8 2.5-3h7.1" strokeWidth="2.2" />
      </g>
    </svg>
  )
}
