//go:build !race

package e2e

const raceEnabled = false

// scanRate is how many packets a second a scan sends.
const scanRate = 5000
