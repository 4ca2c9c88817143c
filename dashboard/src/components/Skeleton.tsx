import styles from './Skeleton.module.css'

/** Stands where something will be, in its size, so that nothing jumps when it comes. */
export function Skeleton({ height, width }: { readonly height: string; readonly width?: string }) {
  return <div className={styles.skeleton} style={{ height, width }} aria-hidden="true" />
}
