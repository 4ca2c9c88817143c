import { Skeleton } from '../components/Skeleton'
import styles from './OverviewPage.module.css'

export function OverviewSkeleton() {
  return (
    <div className={styles.skeleton} role="status" aria-label="Loading the overview">
      <Skeleton height="1.875rem" width="9rem" />
      <div className={styles.row}>
        <Skeleton height="5rem" />
        <Skeleton height="5rem" />
      </div>
      <Skeleton height="11rem" />
      <Skeleton height="16rem" />
    </div>
  )
}
