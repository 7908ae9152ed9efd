// The other side of the benchmark: verifying, a protected route, and refresh tokens that rotate
// and are blacklisted in Django's tables, with fastify, fast-jwt and better-sqlite3. It has
// no sessions, and no settings but its environment.

import { randomUUID } from 'node:crypto'
import Database from 'better-sqlite3'
import Fastify from 'fastify'
import { createSigner, createVerifier } from 'fast-jwt'

const { DATABASE, PORT, SECRET_KEY, SYNCHRONOUS } = process.env
const DAY = 24 * 60 * 60
const LIFETIMES = { access: 300, refresh: DAY }

const verify = createVerifier({ key: SECRET_KEY, algorithms: ['HS256'], cache: false })
const sign = createSigner({ key: SECRET_KEY, algorithm: 'HS256', noTimestamp: true })

const database = new Database(DATABASE)
database.pragma('journal_mode = WAL')
database.pragma(`synchronous = ${SYNCHRONOUS}`)
database.pragma('foreign_keys = ON')
const register = database.prepare(
  `INSERT INTO token_blacklist_outstandingtoken (token, created_at, expires_at, user_id, jti)
   VALUES (?, ?, ?, ?, ?) ON CONFLICT (jti) DO NOTHING`
)
const blacklist = database.prepare(
  `INSERT INTO token_blacklist_blacklistedtoken (blacklisted_at, token_id)
   SELECT ?, id FROM token_blacklist_outstandingtoken WHERE jti = ?
   ON CONFLICT (token_id) DO NOTHING`
)
// Whether this call is the one that spent the token.
const rotate = database.transaction((spent, next) => {
  const at = datetime(Date.now() / 1000)
  register.run(spent.token, at, datetime(spent.claims.exp), spent.claims.user_id, spent.claims.jti)
  if (blacklist.run(at, spent.claims.jti).changes === 0) return false
  register.run(next.token, at, datetime(next.claims.exp), next.claims.user_id, next.claims.jti)
  return true
})

function datetime (seconds) {
  return new Date(seconds * 1000).toISOString().replace('T', ' ').replace('Z', '')
}

function issued (type, userId) {
  const iat = Math.floor(Date.now() / 1000)
  const jti = randomUUID().replaceAll('-', '')
  const claims = { token_type: type, exp: iat + LIFETIMES[type], iat, jti, user_id: userId }
  return { claims, token: sign(claims) }
}

// The claims of a token that is valid and of this type, if one is asked for; otherwise null.
function claimsOf (token, type) {
  try {
    const claims = verify(token)
    return !type || claims.token_type === type ? claims : null
  } catch {
    return null
  }
}

const string = { type: 'string' }
const body = (name) => ({ schema: { body: { type: 'object', required: [name], properties: { [name]: string } } } })
const REFUSED = { detail: 'Token is invalid or expired', code: 'token_not_valid' }
const app = Fastify({ logger: false })

app.get('/healthz', async () => ({ status: 'ok' }))

app.post('/api/token/verify/', body('token'), async (request, reply) => {
  if (claimsOf(request.body.token)) return {}
  return reply.code(401).send(REFUSED)
})

app.get('/api/protected-stateless/', async (request, reply) => {
  const [scheme, token] = (request.headers.authorization ?? '').split(' ')
  const claims = scheme === 'Bearer' ? claimsOf(token, 'access') : null
  if (claims) return { message: `Welcome, ${claims.user_id}!` }
  return reply.code(401).send(REFUSED)
})

app.post('/api/token/refresh/', body('refresh'), async (request, reply) => {
  const claims = claimsOf(request.body.refresh, 'refresh')
  if (!claims) return reply.code(401).send(REFUSED)
  const next = issued('refresh', claims.user_id)
  const access = issued('access', claims.user_id)
  if (!rotate({ claims, token: request.body.refresh }, next)) return reply.code(401).send(REFUSED)
  return { access: access.token, refresh: next.token }
})

await app.listen({ host: '127.0.0.1', port: Number(PORT) })
