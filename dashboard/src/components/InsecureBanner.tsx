import { isLoopback } from '../lib/origin'
import { Icon } from './Icon'
import styles from './InsecureBanner.module.css'

/** Says so where passwords cross the network in the clear. */
export function InsecureBanner() {
  const { protocol, hostname } = window.location
  if (protocol === 'https:' || isLoopback(hostname)) return null
  return (
    <div className={styles.banner} role="note">
      <Icon name="shield" />
      <span>
        This page came over plain HTTP: anyone on this network can read along. Put HTTPS in front of Homelog where others
        share it.
      </span>
    </div>
  )
}
