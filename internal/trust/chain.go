package trust

import (
	"crypto/sha256"
	"encoding/hex"
	"path/filepath"
	"slices"

	"wso2agent/internal/file"
)

// chainFile keeps the chain of a truststore.
const chainFile = "imports.json"

// chainLimit is the most that it may hold, in bytes, and chainLength how many contents are remembered.
const (
	chainLimit  = 1 << 20
	chainLength = 50
)

// content is a truststore as it was at some time.
type content struct {
	Digest string `json:"sha256"`
	// Added are the fingerprints of the certificates that it trusts and the one before did not, by the peer's name.
	Added map[string][]string `json:"added,omitempty"`
}

// chain are the contents of a truststore from one that the agent found to the one that it wrote last. The agent made each
// from the one before. A change by anybody else begins another chain, so what lies between two of its contents is the
// agent's work alone, and can be undone without undoing anybody else's.
type chain []content

// digest names the content of a truststore.
func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// loadChain reads the chain in workDir. One that cannot be read is none: then nothing can be undone.
func loadChain(workDir string) (c chain) {
	c, _, _ = file.LoadJSON[chain](filepath.Join(workDir, chainFile), chainLimit)
	return c
}

// extended is the chain after the agent has made next from the content with the digest before. That one may be further back:
// it was restored, or a write after it never happened.
func (c chain) extended(before string, next content) chain {
	for len(c) > 0 && c[len(c)-1].Digest != before {
		c = c[:len(c)-1]
	}
	if len(c) == 0 {
		c = chain{{Digest: before}}
	}
	c = append(slices.Clone(c), next)
	return c[max(0, len(c)-chainLength):]
}

func (c chain) save(workDir string) error {
	_, err := file.SaveJSON(filepath.Join(workDir, chainFile), c, 0o600, workDir)
	return err
}

// since are the certificates that the last content trusts and the one with the given digest did not; ok is false if the agent
// alone did not make the one from the other.
func (c chain) since(former string) (added map[string][]string, ok bool) {
	added = map[string][]string{}
	for i := len(c) - 1; i >= 0; i-- {
		if c[i].Digest == former {
			return added, true
		}
		addAll(added, c[i].Added)
	}
	return nil, false
}
