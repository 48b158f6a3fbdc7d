package doctor

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"wso2agent/internal/config"
	"wso2agent/internal/sorting"
)

// mask stands for a secret.
const mask = "*****"

// tokens are texts that give access by their form alone: JSON Web Tokens, and what follows Basic or Bearer.
var tokens = regexp.MustCompile(`eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]*)?|((?i:\b(?:basic|bearer))\s+)[A-Za-z0-9+/=._~-]{8,}`)

// assigned is a value that follows the name of a secret: password=x, "client_secret": "x y", <Password>x y</Password>. In quotes, it ends
// with the quote; in XML, with the tag. A path that ends with such a name, such as /oauth2/token, is none.
var assigned = regexp.MustCompile(`(?i)((?:^|[^/\w.-])[\w.-]*(pass(?:w(?:or)?d|phrase)?|pwd|secret|salt|token|credentials?|api_?key|private_?key|code|jsessionid|commonauthid|sessiondatakey)\\*["']?\s*([=:>])\s*)` +
	`(\\+["'][^"'\\\n]+|"(?:[^"\\\n]|\\.)+|'[^'\n]+|\\*[^\s"',;&<>\\][^\s"',;&<>]*)`)

// inElement is the rest of a value in XML after its first word.
var inElement = regexp.MustCompile(`(?i)(<[\w:.-]*(?:pass(?:w(?:or)?d|phrase)?|pwd|secret|salt|token|credentials?|api_?key|private_?key)(?:\s[^<>\n]*)?>)[^<\n]+`)

// inURL is a password in front of a URL's host.
var inURL = regexp.MustCompile(`(://[^:/\s"'<>]*:)[^\s"<>]+@`)

// option is an account among the arguments of curl and its like.
var option = regexp.MustCompile(`((?:^|\s)(?:-u\s*|--user[\s=]+)"[^\s:"]+:)[^"\n]+|((?:^|\s)(?:-u\s*|--user[\s=]+)'[^\s:']+:)[^'\n]+|((?:^|\s)(?:-u\s*|--user[\s=]+)[^\s:"']+:)[^\s"']+`)

// afterToken is the rest of a line with the word token. A UUID in it is an opaque token: "Access token UUID is inactive".
var afterToken = regexp.MustCompile(`(?i)token.*`)

var uuid = regexp.MustCompile(`(?i)\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b`)

// random is a text that nobody writes in a sentence. After "token:" and "code=", only such a text is a secret: "Invalid OAuth Token : Invalid" has none.
var random = regexp.MustCompile(`^[\w.=+/-]*[0-9][\w.=+/-]*$`)

// keyBlock is a private key in PEM.
var keyBlock = regexp.MustCompile(`(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\z)`)

// Masker takes secrets out of texts: those that it knows by their value, and what looks like one.
type Masker struct{ known *strings.Replacer }

// inXML encodes characters as the products' XML files have them.
var inXML = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;")

// inJSON encodes characters as JSON documents have them. Some encoders, such as Go's, escape <, > and & too.
func inJSON(escapeHTML bool) func(string) string {
	return func(s string) string {
		var b strings.Builder
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(escapeHTML)
		_ = e.Encode(s)                            // every text has a form in JSON
		return b.String()[1 : b.Len()-len("\"\n")] // without the quotes
	}
}

// MaskerOf returns a masker that knows the secrets in the settings, and further ones. The passwords that the products ship are no secrets,
// and words that people read.
func MaskerOf(cfg config.Config, more ...string) Masker {
	secrets := slices.Clone(more)
	for _, name := range config.SettingNames() {
		if value, ok := cfg.Secret(name); ok {
			secrets = append(secrets, value)
		}
	}
	secrets = slices.DeleteFunc(secrets, func(s string) bool { return len(s) < 4 || s == "admin" || s == "wso2carbon" })
	secrets = variants(secrets, inJSON(false), inJSON(true), inXML.Replace, url.QueryEscape, func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) })
	sorting.By(secrets, func(a, b string) int { return len(b) - len(a) }) // a secret may be a part of another one
	var pairs []string
	for _, s := range slices.Compact(secrets) {
		pairs = append(pairs, s, mask)
	}
	return Masker{strings.NewReplacer(pairs...)}
}

// Text returns the text without secrets.
func (m Masker) Text(text string) string {
	text = keyBlock.ReplaceAllString(text, mask)
	text = m.known.Replace(text)
	text = tokens.ReplaceAllString(text, "${2}"+mask)
	text = inURL.ReplaceAllString(text, "${1}"+mask+"@")
	text = option.ReplaceAllString(text, "${1}${2}${3}"+mask)
	text = inElement.ReplaceAllString(text, "${1}"+mask)
	text = assigned.ReplaceAllStringFunc(text, func(found string) string {
		m := assigned.FindStringSubmatch(found)
		value := strings.TrimLeft(m[4], `\"'`)
		quote := m[4][:len(m[4])-len(value)]
		if mayBeWord(m[2], m[3], strings.HasSuffix(m[1]+quote, `"`)) && (len(value) < 16 || !random.MatchString(value)) {
			return found
		}
		return m[1] + quote + mask + value[len(strings.TrimRight(value, `\`)):] // the backslash may belong to the quote that follows
	})
	return afterToken.ReplaceAllStringFunc(text, func(rest string) string { return uuid.ReplaceAllString(rest, mask) })
}

// mayBeWord reports whether a plain word may follow a name: "code=401", and "Token : Invalid" if it is not in quotes.
func mayBeWord(name, separator string, quoted bool) bool {
	return strings.EqualFold(name, "code") || strings.EqualFold(name, "token") && separator == ":" && !quoted
}

// variants adds the forms in which secrets appear in texts.
func variants(secrets []string, forms ...func(string) string) []string {
	all := slices.Clone(secrets)
	for _, s := range secrets {
		for _, form := range forms {
			all = append(all, form(s))
		}
	}
	return all
}
