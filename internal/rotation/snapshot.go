package rotation

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"wso2agent/internal/trust"
)

// Snapshot is everything that one pass of an agent decides on, read once: plain data, without files, clocks or connections.
type Snapshot struct {
	Now        time.Time
	Settings   Settings
	Server     Server
	Deployment Deployment
	TLS        TLS
	Keystore   Keystore
	Truststore Truststore
	Own        Own
	Peers      map[string]Peer // by name; one for each of Settings.Peers
	Records    Records
	// Maintenance is what keeps a due restart off until people want it.
	Maintenance Maintenance
	Memory      Memory
	Notes       []Message // for the log: what was found while this was read
}

// Settings are the settings of this agent that matter for trust and restarts.
type Settings struct {
	Server        string   // name of the own server
	Peers         []string // names of the peers
	Init          bool     // the agent prepares a start of the server and exits
	Supervised    bool     // RESTART is not none: agent exec, or the agent in another way, restarts the server
	TLSMode       string   // none, issue or files
	Successors    int      // how many further identities the agent issues in advance
	Reload        bool     // RELOAD=auto: the server loads a new certificate while it runs, if it can
	TrustCA       bool     // TRUST=ca: peers may trust the CA in place of the certificate
	StartAnyway   bool     // INIT_ON_TIMEOUT=start: a missing peer keeps nothing from being ready
	TellsClosing  bool     // the server is an IS, which tells others how it closes its administration
	RotateTimeout time.Duration
	RotateGrace   time.Duration
	Poll          time.Duration // POLL_INTERVAL
	Pace          Pace
}

// Certificate is what decisions need of a certificate.
type Certificate struct {
	Fingerprint string    // SHA-256 as keystore.Fingerprint.String writes it
	NotBefore   time.Time // zero, as NotAfter, if Go cannot parse the certificate
	NotAfter    time.Time
}

// Short is the first eight hexadecimal digits of the fingerprint, in lower case, as keystore.Fingerprint.Short writes them.
func (c Certificate) Short() string { return short(c.Fingerprint) }

func short(fingerprint string) string {
	digits := strings.ToLower(strings.ReplaceAll(fingerprint, ":", ""))
	return digits[:min(8, len(digits))]
}

// Server is what is known of the server process.
type Server struct {
	Runs       bool       // a server runs, or may run, that started before this pass
	Known      bool       // agent exec has reported the last start
	Generation string     // that it started with; empty if nobody had asked for one
	Process    bool       // agent exec has reported a process
	Since      time.Time  // when it started
	Starting   bool       // it does not serve yet, or is about to stop
	Trusts     []string   // fingerprints under the agent's aliases in the truststore that the start read; nil: not known
	Presented  string     // fingerprint of the certificate that the start presented; empty: not known
	Reloads    bool       // it loads a new certificate while it runs
	Placed     Placed     // what agent exec has answered to the last request to load one
	Loading    []string   // certificates that agent exec has placed since all listeners were last known to serve one: any may serve them
	Listeners  []Listener // what its ports serve; empty unless it loads a certificate
	Trouble    string     // why a restart that was asked for does not happen
	Wish       Wish       // what agent exec was last told, by anybody; zero if it was told nothing
}

// Placed is a keystore that agent exec has placed for a running server, or refused to. The zero value is none.
type Placed struct {
	Generation  string // that was requested
	Certificate string
	Err         string // why it was not placed; empty if it was
}

// Listener is a port of the server, with the certificate that it serves.
type Listener struct {
	Name        string
	Certificate string // fingerprint; empty if the port did not answer
}

// Deployment is what the server's deployment.toml says, parsed once.
type Deployment struct {
	Text    []byte        // nil if there is no file
	Pending bool          // needed settings are not in the file yet
	Kept    []KeptSetting // settings that somebody else has made otherwise than is needed
	Closing trust.Closing // what becomes of the settings that keep API subscribers out of IS
}

// KeptSetting is a setting that somebody else has made otherwise than is needed, and that the agent leaves as it is.
type KeptSetting struct {
	Setting string
	Line    int
	Secret  bool // Is and Needed are not for the log
	Is      string
	Needed  string
	Settled bool // it concerns the administrator, whom the database already has
}

// TLS is the TLS identity that TLS_MODE asks for.
type TLS struct {
	Named      bool        // deployment.toml names the agent's keystore: a start presents whatever is there
	Refused    string      // why TLS_MODE has no effect on this server; empty if it has
	Installed  *Identity   // at its place
	Staged     *Identity   // in the agent's folder, where no start finds it
	IsStaged   bool        // a file is there, readable or not
	Files      *Identity   // from TLS_FILES_DIR
	Asked      bool        // somebody has asked for a new one
	Stolen     bool        // somebody has asked to throw all successors away, too
	Successors []*Identity // issued in advance, the oldest first
	Err        error       // why the agent cannot obtain the identity that is due
	Folder     string      // TLS_FILES_DIR, for messages
}

// Identity is a private key with its certificate.
type Identity struct {
	Leaf    Certificate
	Issuer  string // fingerprint of the CA that has signed the leaf; empty if nobody has given it
	Chain   string // fingerprints of the whole chain
	Stale   string // why an issued identity is due to be replaced, to follow "the previous certificate"; empty if it is not
	RenewAt time.Time
	Missing []string // names of the server that the certificate lacks
}

// same reports whether two identities have the same certificate, and so the same key.
func same(a, b *Identity) bool {
	return a != nil && b != nil && a.Leaf.Fingerprint == b.Leaf.Fingerprint
}

// Keystore is the keystore that the next start of the server reads.
type Keystore struct {
	Own     Certificate  // that this start presents
	Err     error        // why it cannot be read
	Path    string       // on the config volume; empty if the keystore is elsewhere, and then the rest is empty too
	Served  *Certificate // in the agent's copy of the keystore with which the server last served; nil for none
	Fresh   bool         // that copy is equal to the file
	Next    *Certificate // of the keystore that waits in the agent's folder for the switch
	NextErr error        // why that one cannot be opened
	NextAt  string       // its path, for messages
	IsBack  bool         // the file is the one that the agent has put back
	Mine    bool         // the agent may replace the file
}

// Truststore is the truststore that the next start of the server reads.
type Truststore struct {
	Path    string
	Entries []trust.Entry
	Own     []Certificate // in the entries of the own server
	Err     error         // why it must not be changed
}

// Own is what this agent has published.
type Own struct {
	Certificates  []Certificate
	Err           error // why they cannot be read; nil if there are none
	Successors    []Certificate
	SuccessorsErr error  // why they cannot be read; nil if there are none
	CA            string // fingerprint of the published CA; empty for none
	Trusts        trust.Trusts
	TrustsErr     error
	Turn          trust.Turn
	TurnErr       error // why it cannot be read; Turn is zero then
	Closing       trust.Closing
	HasClosing    bool
}

// Peer is what another server's agent has published.
type Peer struct {
	Certificates  []Certificate // that this agent may trust
	Err           error         // why some or all of them are refused
	Silent        bool          // it has published nothing yet
	Successors    []Certificate // that it will use later, and that this agent may trust
	SuccessorsErr error         // why they cannot be read
	CAErr         error         // why its CA is not trusted
	Trusts        trust.Trusts
	TrustsErr     error
	Turn          trust.Turn
	TurnErr       error
}

// Records are what agents remember on the config volume from one pass to the next.
type Records struct {
	trust.Records
	Primary     string // fingerprint of the primary key's certificate, as remembered
	PrimaryNow  string // as it is; empty if it is not watched
	PrimaryFile string
}

// Memory is what one agent remembers from one pass to the next while its process runs. The zero value remembers nothing.
type Memory struct {
	Patience time.Time // until when a restart waits for peers that have published nothing
	Wish     Wish      // what this process has last told agent exec
	Asked    string    // generation that a restart was last asked for
	Starts   bool      // the server was seen to start, and has not been seen to serve since
	Upgrade  time.Time // since when a restart waits for authorized applications; zero while it does not
	Claims   Claims
	Queued   time.Time // since when the own restart waits for those of peers; zero while it does not
	Paced    []string  // peers that were reported to change their certificates too often
	Ahead    int       // how many identities were issued in advance in this round
	Raised   []string  // certificates for which the server was to read its truststore again, and has not
	Reload   Reload    // that goes on, or has failed
	Trouble  error     // why the identity that is due could not be issued in this round of passes
	AheadErr error     // why the pool of successors is not as it should be; the agent does not try again before Retry
	Retry    time.Time // zero while AheadErr is nil or new
	Issued   bool      // an identity was issued in this round: a stale one is not issued again and again
}

// Fail remembers why an action on an identity has failed. Trouble with the pool does not concern the certificate in use.
func (m *Memory) Fail(a Action, err error) {
	switch a.(type) {
	case IssueSuccessor, DropSuccessor:
		m.AheadErr, m.Retry = err, time.Time{}
	default:
		m.Trouble = err
	}
}

// Reload is a running server's loading of a new certificate, without a restart.
type Reload struct {
	Generation string    // of the server afterwards; empty if there is none
	Since      time.Time // when agent exec was asked for it
	Served     bool      // agent exec was told that all listeners serve it
	Failed     bool      // the server has to restart
}

// Wish is what agent exec is told: a server that started with Running goes on, and a start reads OnDisk. They differ while a
// restart is held.
type Wish struct{ Running, OnDisk string }

// Generation names everything that a server reads at its start and that matters to it: what it trusts at least, by the edition
// of its truststore (see trust.Edition), its own certificate, and its settings file, nil for none. A server that started with
// another generation than the one on disk is due for a restart. One that started with the same is not, whatever happened in
// between.
//
// A certificate that is no longer trusted on disk, or has another alias, makes no other generation: the running server trusts
// what it needs. The generation ends with the own certificate's fingerprint, so that RunsWith can tell.
func Generation(edition int, own Certificate, settings []byte) string {
	h := sha256.New()
	fmt.Fprintf(h, "edition %d\n", edition)
	fmt.Fprintf(h, "own %s\n", own.Fingerprint)
	fmt.Fprintf(h, "settings %x\n", sha256.Sum256(settings))
	return hex.EncodeToString(h.Sum(nil))[:24] + "-" + own.Short()
}

// RunsWith reports whether a server that started with a generation presents the certificate.
func RunsWith(generation string, own Certificate) bool {
	return strings.HasSuffix(generation, "-"+own.Short())
}
