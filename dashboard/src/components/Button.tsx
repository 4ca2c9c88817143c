import type { ButtonHTMLAttributes } from 'react'
import styles from './Button.module.css'

interface Props extends ButtonHTMLAttributes<HTMLButtonElement> {
  readonly look?: 'primary' | 'plain' | 'quiet'
  readonly type?: 'button' | 'submit'
}

export function Button({ look = 'plain', type = 'button', className, ...rest }: Props) {
  const classes = [styles.button, styles[look], className].filter(Boolean).join(' ')
  // oxlint-disable-next-line react/button-has-type -- the type is always set, to `button` unless asked otherwise
  return <button type={type} className={classes} {...rest} />
}
