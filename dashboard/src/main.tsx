import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import 'uplot/dist/uPlot.min.css'
import { Session } from './api/session'
import { App } from './App'
import { createAppRouter } from './router'
import './styles/tokens.css'
import './styles/base.css'

const root = document.querySelector('#root')
if (!root) throw new Error('the page has no #root element')

createRoot(root).render(
  <StrictMode>
    <App session={new Session()} router={createAppRouter()} />
  </StrictMode>,
)
