import { Link } from '@tanstack/react-router'
import { CenteredPage } from '../components/CenteredPage'
import { Notice } from '../components/Notice'
import styles from './form.module.css'

export function NotFoundPage() {
  return (
    <CenteredPage>
      <Notice icon="search" title="There is no such page">
        <Link to="/" className={styles.link}>
          Go to the overview
        </Link>
      </Notice>
    </CenteredPage>
  )
}
