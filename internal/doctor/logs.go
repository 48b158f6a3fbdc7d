package doctor

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// pattern is the name of a line of a server that means a trouble.
type pattern string

// The patterns. Each comment names the source of the line.
const (
	logPKIX      pattern = "PKIX"      // product-apim#7504: sun.security.validator.ValidatorException of the JDK
	logExpired   pattern = "expired"   // product-apim#12486: CertPathValidatorException of the JDK
	logAnchor    pattern = "anchor"    // PKIXValidator of the JDK
	logName      pattern = "name"      // kubernetes-apim#534: SSLConnectionSocketFactory of httpclient
	logNotice    pattern = "notice"    // kubernetes-apim#534: EventSender of wso2is.notification.event.handlers
	logOpaque    pattern = "opaque"    // OAuthOpaqueAuthenticatorImpl of carbon-apimgt, with the words of identity-inbound-auth-oauth
	logNotLoaded pattern = "notLoaded" // product-apim#12449, #12634: AbstractApplicationRegistrationWorkflowExecutor, GlobalThrowableMapper
	logHalf      pattern = "half"      // ExceptionCodes of carbon-apimgt, 901409
	logDuplicate pattern = "duplicate" // APIConsumerImpl of carbon-apimgt
	logRoles     pattern = "roles"     // api-manager#3221: APIProviderImpl, WSO2IS7KeyManager
	logClaims    pattern = "claims"    // api-manager#3075: JWTValidator of the gateway
	logPassword  pattern = "password"  // product-apim#9874: DataEndpointConnectionWorker
	logCallback  pattern = "callback"  // OAuth2Util of identity-inbound-auth-oauth
	logNoFile    pattern = "noFile"    // java.io.FileInputStream of the JDK
	logSetup     pattern = "setup"     // script of the integration guide
	logScope     pattern = "scope"     // APIAuthenticationHandler and APISecurityConstants of carbon-apimgt, 900910
	logBackend   pattern = "backend"   // EndpointContext of wso2-synapse
	logBlocked   pattern = "blocked"   // the same, 900907
)

// patterns says how to recognise each line. The text is a part that every such line has: to look for it is fast, and most lines have
// none of them.
var patterns = []struct {
	name  pattern
	text  string
	exact *regexp.Regexp // nil: the text is enough
}{
	{logAnchor, "is not a CA certificate", nil},
	{logExpired, "CertPathValidatorException: validity check failed", nil},
	{logExpired, "CertificateExpiredException: NotAfter:", nil},
	{logPKIX, "unable to find valid certification path to requested target", nil},
	{logPKIX, "PKIX path building failed", nil},
	{logName, "doesn't match any of the subject alternative names", nil},
	{logNotice, "Error while sending Revocation Event to ", nil},
	{logOpaque, "ACTIVE access token is not found", nil},
	{logNotLoaded, "Key Manager ", regexp.MustCompile(`Key Manager .+ (not configured|doesn't exist in Tenant)`)},
	{logHalf, "Key Mappings already exists", nil},
	{logDuplicate, "A duplicate application already exists by the name - DefaultApplication", nil},
	{logDuplicate, "Application with name 'DefaultApplication' already exists", nil}, // as the guide quotes it
	{logRoles, "Error while updating resource to scope attachment in Key Manager", nil},
	{logRoles, "Failed to create role: ", nil},
	{logClaims, "Error while retrieving User claims from Key Manager", nil},
	{logPassword, "DataEndpointLoginException: Cannot borrow client for ", nil},
	{logCallback, "Registered callback does not match with the provided url", nil},
	{logNoFile, "FileNotFoundException: ", regexp.MustCompile(`FileNotFoundException: \S*/repository/(conf|resources/security|components/(lib|dropins))/\S* \(No such file or directory\)`)},
	{logSetup, "API setup failed", nil},
	{logScope, "API authentication failure due to The access token does not allow you to access the requested resource", nil},
	{logBackend, "will be marked SUSPENDED as it failed", nil},
	{logBlocked, "API authentication failure due to The requested API is temporarily blocked", nil},
}

// Lines of carbon-kernel (CarbonCoreActivator, StartupFinalizerServiceComponent) at the begin and at the end of a start.
const (
	beginsStart = "Starting WSO2 Carbon"
	endsStart   = "WSO2 Carbon started in "
)

// Logs are the lines of log files that mean a trouble.
type Logs struct {
	Files []string            `json:"files"` // that were read
	Lines map[pattern][]Found `json:"lines"`
	// Restarts says of each log in which a server has started several times without being up in between.
	Restarts []string `json:"restarts"`
}

// Found is a line of a log, and how often such a line is there.
type Found struct {
	Path  string `json:"path"`
	Line  string `json:"line"` // the last one, without secrets, shortened
	Count int    `json:"count"`
}

// of returns the lines of a pattern as evidence.
func (l Logs) of(name pattern) (evidence []string) {
	for _, found := range l.Lines[name] {
		text := found.Path + ": " + found.Line
		if found.Count > 1 {
			text += fmt.Sprintf(" (%d such lines)", found.Count)
		}
		evidence = append(evidence, text)
	}
	return evidence
}

// Bounds of what is read of logs.
const (
	tailLimit = 8 << 20 // bytes of each file, from its end
	lineLimit = 300     // bytes of a line that is shown
	fileLimit = 16      // files
	lineBytes = 1 << 20 // the longest line that is searched; more of it is left out
)

// logFiles returns the logs below the known places and those that a person names, each a file or a folder: wso2carbon.log, and a file that
// a person names. A folder that a person names must have one.
func logFiles(known, named []string) (paths []string, unread []Unread) {
	for n, place := range slices.Concat(known, named) {
		before := len(paths)
		info, err := os.Stat(place)
		if err == nil && !info.IsDir() {
			paths = append(paths, place)
			continue
		}
		if err == nil {
			err = filepath.WalkDir(place, func(path string, entry fs.DirEntry, err error) error {
				if err == nil && entry.Name() == "wso2carbon.log" && entry.Type().IsRegular() {
					paths = append(paths, path)
				}
				if len(paths) > fileLimit {
					return fs.SkipAll
				}
				return nil // a folder that cannot be read hides no other one
			})
		}
		if err == nil && n >= len(known) && len(paths) == before {
			err = errors.New("no wso2carbon.log is in it; name the file")
		}
		if err != nil {
			unread = append(unread, Unread{"logs in " + place, err.Error()})
		}
	}
	slices.Sort(paths)
	paths = slices.Compact(paths)
	if len(paths) > fileLimit {
		unread = append(unread, Unread{"logs", fmt.Sprintf("there are more than %d files; name the right ones with --logs", fileLimit)})
		paths = paths[:fileLimit]
	}
	return paths, unread
}

// knownLogs are the places at which a server's logs may be mounted, of those that exist.
func knownLogs(home, volume string) (places []string) {
	for _, folder := range []string{home, volume} {
		if folder == "" {
			continue
		}
		place := filepath.Join(folder, "repository/logs")
		if info, err := os.Stat(place); err == nil && info.IsDir() {
			places = append(places, place)
		}
	}
	return places
}

// openTail opens a file at most tailLimit bytes before its end. The first line may be cut.
func openTail(path string) (*os.File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	switch {
	case err != nil:
	case !info.Mode().IsRegular():
		err = fmt.Errorf("%s is not a regular file", path)
	case info.Size() > tailLimit:
		_, err = f.Seek(info.Size()-tailLimit, io.SeekStart)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// readLogs searches the ends of log files.
func readLogs(paths []string, masked func(string) string) (l Logs, unread []Unread) {
	l.Files, l.Lines = []string{}, map[pattern][]Found{}
	for _, path := range paths {
		f, err := openTail(path)
		if err == nil {
			err = l.search(path, io.LimitReader(f, tailLimit), masked)
			f.Close()
		}
		if err != nil {
			unread = append(unread, Unread{"log " + path, err.Error()})
			continue
		}
		l.Files = append(l.Files, path)
	}
	return l, unread
}

// search notes the lines of one log since the last start of its server: what the start before did is over.
func (l *Logs) search(path string, r io.Reader, masked func(string) string) error {
	found := map[pattern]*Found{}
	begun := 0 // starts since the server was last up
	err := eachLine(r, func(line string) {
		switch {
		case strings.Contains(line, beginsStart):
			clear(found)
			begun++
		case strings.Contains(line, endsStart):
			begun = 0
		}
		for _, p := range patterns {
			if !strings.Contains(line, p.text) || p.exact != nil && !p.exact.MatchString(line) {
				continue
			}
			if found[p.name] == nil {
				found[p.name] = &Found{Path: path}
			}
			found[p.name].Line = line
			found[p.name].Count++
			return
		}
	})
	for name, f := range found {
		f.Line = shortened(masked(strings.ToValidUTF8(f.Line, "?")))
		l.Lines[name] = append(l.Lines[name], *f)
	}
	if begun > 1 {
		l.Restarts = append(l.Restarts, fmt.Sprintf("%s: %d starts begin, and the server is not up after any of them", path, begun))
	}
	return err
}

// eachLine calls visit with each line, of a longer one only with its begin.
func eachLine(r io.Reader, visit func(line string)) error {
	in := bufio.NewReaderSize(r, 64<<10)
	var line []byte
	for {
		part, isPrefix, err := in.ReadLine()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if len(line)+len(part) <= lineBytes {
			line = append(line, part...)
		}
		if !isPrefix {
			visit(string(line))
			line = line[:0]
		}
	}
}

// shortened returns the begin of a line, without characters that steer a terminal.
func shortened(line string) string {
	line = strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 || r == 0x202e {
			return ' '
		}
		return r
	}, strings.TrimSpace(line))
	if len(line) <= lineLimit {
		return line
	}
	return strings.ToValidUTF8(line[:lineLimit], "") + " [cut]"
}
