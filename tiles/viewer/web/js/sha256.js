// SHA-256 (FIPS 180-4) fed piece by piece, so that a film of any size is hashed in little memory. The browser's own
// crypto.subtle takes whole files only, and none at all on a page without https.

const K = new Uint32Array(64)
const H = new Uint32Array(8)
{ // the fractional parts of the roots of the first primes
  let n = 0
  for (let p = 2; n < 64; p++) {
    let prime = true
    for (let d = 2; d * d <= p; d++) if (p % d === 0) { prime = false; break }
    if (!prime) continue
    if (n < 8) H[n] = (Math.sqrt(p) % 1) * 2 ** 32
    K[n++] = (Math.cbrt(p) % 1) * 2 ** 32
  }
}

export class SHA256 {
  constructor() {
    this.h = H.slice()
    this.rest = new Uint8Array(64)
    this.have = 0
    this.bytes = 0
    this.w = new Uint32Array(64)
  }

  update(b) {
    this.bytes += b.length
    let i = 0
    if (this.have) {
      i = Math.min(64 - this.have, b.length)
      this.rest.set(b.subarray(0, i), this.have)
      if ((this.have += i) < 64) return this
      this.block(this.rest, 0)
      this.have = 0
    }
    for (; i + 64 <= b.length; i += 64) this.block(b, i)
    this.rest.set(b.subarray(i))
    this.have = b.length - i
    return this
  }

  block(b, at) {
    const w = this.w, h = this.h
    for (let i = 0, j = at; i < 16; i++, j += 4) w[i] = (b[j] << 24) | (b[j + 1] << 16) | (b[j + 2] << 8) | b[j + 3]
    for (let i = 16; i < 64; i++) {
      const x = w[i - 15], y = w[i - 2]
      w[i] = w[i - 16] + w[i - 7] + (((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3)) + (((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10))
    }
    let a = h[0] | 0, c1 = h[1] | 0, c2 = h[2] | 0, d = h[3] | 0, e = h[4] | 0, f = h[5] | 0, g = h[6] | 0, z = h[7] | 0
    for (let i = 0; i < 64; i++) {
      const t1 = (z + (((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7))) + ((e & f) ^ (~e & g)) + K[i] + w[i]) | 0
      const t2 = ((((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10))) + ((a & c1) ^ (a & c2) ^ (c1 & c2))) | 0
      z = g; g = f; f = e; e = (d + t1) | 0; d = c2; c2 = c1; c1 = a; a = (t1 + t2) | 0
    }
    h[0] += a; h[1] += c1; h[2] += c2; h[3] += d; h[4] += e; h[5] += f; h[6] += g; h[7] += z
  }

  // hex ends the hash: 64 lower-case digits.
  hex() {
    const bits = this.bytes * 8
    const pad = new Uint8Array((this.have < 56 ? 64 : 128) - this.have)
    pad[0] = 0x80
    const view = new DataView(pad.buffer)
    view.setUint32(pad.length - 8, Math.floor(bits / 2 ** 32))
    view.setUint32(pad.length - 4, bits >>> 0)
    this.update(pad)
    return [...this.h].map((v) => v.toString(16).padStart(8, '0')).join('')
  }
}
