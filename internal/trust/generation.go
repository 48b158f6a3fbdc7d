package trust

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"wso2agent/internal/keystore"
)

// Generation names all that a server reads at its start and that matters to it: what it trusts at least, by the edition of
// its truststore (see Edition), the server's own certificate, its settings file (nil where there is none). A server that
// started with another generation than the one on disk is due for a restart; one that started with the same is not,
// whatever happened in between.
//
// That a certificate is no longer trusted on disk, or stands under another alias, makes no other generation: the running
// server trusts what it needs. Its end is the own certificate's fingerprint, so that RunsWith can tell.
func Generation(edition int, own keystore.Certificate, settings []byte) string {
	h := sha256.New()
	fmt.Fprintf(h, "edition %d\n", edition)
	fmt.Fprintf(h, "own %s\n", own.Fingerprint())
	fmt.Fprintf(h, "settings %x\n", sha256.Sum256(settings))
	return hex.EncodeToString(h.Sum(nil))[:24] + "-" + own.Fingerprint().Short()
}

// RunsWith tells whether a server that started with a generation presents the certificate.
func RunsWith(generation string, own keystore.Certificate) bool {
	return strings.HasSuffix(generation, "-"+own.Fingerprint().Short())
}
