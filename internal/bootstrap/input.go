package bootstrap

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"

	"wso2agent/internal/config"
	"wso2agent/internal/file"
	"wso2agent/internal/trust"
)

// errInputChanged ends an attempt because its input has changed since it began.
var errInputChanged = errors.New("what the desired state is reached from has changed")

// Input is everything that an attempt to reach the desired state depends on, in parts.
type Input []Part

// Part is one part of an [Input].
type Part struct {
	Name  string // for the log
	Is    string // the value or its digest
	Peers bool   // a peer can change it
}

// Changes returns the names of the parts that differ now. It separates those that a peer changes. Both inputs have the same
// parts, unless the settings name other servers now.
func (in Input) Changes(now Input) (own, peers []string) {
	for _, p := range now {
		switch {
		case slices.Contains(in, p):
		case p.Peers:
			peers = append(peers, p.Name)
		default:
			own = append(own, p.Name)
		}
	}
	return own, peers
}

// add adds a part. It keeps a digest of the values, which may be secret.
func (in *Input) add(peers bool, name, format string, values ...any) {
	*in = append(*in, Part{name, fmt.Sprintf("%x", sha256.Sum256(fmt.Appendf(nil, format, values...))), peers})
}

// filesNamed returns the paths of the files that the API configuration names. It reads the configuration only if that has another digest
// than last time: an attempt waits for changes of its input, and an idle agent looks twice a minute.
func (k *Keeper) filesNamed(files Files, digest string) []string {
	if k.named.digest != digest {
		k.named.digest, k.named.paths = digest, files.named()
	}
	return k.named.paths
}

// shownChanges is how many changed parts a line of the log names.
const shownChanges = 5

// listed returns the names of changed parts for a line of the log.
func listed(parts []string) string {
	text := strings.Join(parts[:min(shownChanges, len(parts))], ", ")
	if more := len(parts) - shownChanges; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// Input reads what an attempt depends on: the API configuration and the files that it names, the secrets, whether the agent can write the keys, the
// servers' certificates, whether the peers trust this server, and the last start of this server. After a start the server may have
// other settings, or have lost its data. A look notices the start of a peer.
func (k *Keeper) Input(ctx context.Context, cfg config.Config) (in Input) {
	files := FilesOf(cfg)
	digest := files.digest()
	in.add(false, cfg.Bootstrap.File, "%s", digest)
	for _, path := range k.filesNamed(files, digest) {
		in.add(false, path, "%s", digestOf(path))
	}
	data, err := file.Read(cfg.Trust.CAFile, filesLimit)
	in.add(false, cmp.Or(cfg.Trust.CAFile, "TLS_CA_FILE"), "%x %v", sha256.Sum256(data), err)
	in.add(false, "AM_ADMIN_PASS", "%q", cfg.AM.AdminPass)
	in.add(false, "IS_ADMIN_PASS", "%q", cfg.IS.AdminPass)
	in.add(false, "KM_SERVICE_PASS", "%q", cfg.KeyManager.ServicePass)
	in.add(false, "whether the files with the keys can be written", "%v", files.CheckKeys())
	exchange := trust.ExchangeOf(cfg)
	for _, name := range append([]string{cfg.Server.Name}, cfg.Trust.Peers...) {
		certs, err := exchange.Certificates(ctx, name)
		var prints []string
		for _, c := range certs {
			prints = append(prints, c.Fingerprint().String())
		}
		in.add(name != cfg.Server.Name, "the certificate of "+name, "%q %v", prints, err)
	}
	for _, name := range cfg.Trust.Peers {
		trusts, err := exchange.RunningTrusts(ctx, name, cfg.Server.Name)
		in.add(true, "whether the running "+name+" trusts "+cfg.Server.Name, "%v %v", trusts, err)
	}
	started, known, err := k.Server.Started(ctx)
	in.add(false, "a start of "+cfg.Server.Name, "%d %d %v %v", started.PID, started.Since.UnixNano(), known, err)
	return in
}
