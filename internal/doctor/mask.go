package doctor

import (
	"encoding/base64"
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

// assigned is a value that follows the name of a secret: password=x, "client_secret": "x", <Password>x</Password>. A path that ends with
// such a name, such as /oauth2/token, is none.
var assigned = regexp.MustCompile(`(?i)((?:^|[^/\w.-])[\w.-]*(pass(?:w(?:or)?d|phrase)?|secret|token|credentials?|api_?key|private_?key)["']?\s*([=:>])\s*["']?)([^\s"',;&<>]+)`)

// random is a text that nobody writes in a sentence. After "token:" only such a text is a token: "Invalid OAuth Token : Invalid" has none.
var random = regexp.MustCompile(`^[\w.=+/-]*[0-9][\w.=+/-]*$`)

// keyBlock is a private key in PEM.
var keyBlock = regexp.MustCompile(`(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\z)`)

// Masker takes secrets out of texts: those that it knows by their value, and what looks like one.
type Masker struct{ known *strings.Replacer }

// inXML encodes characters as the products' XML files have them.
var inXML = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;")

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
	secrets = variants(secrets, inXML.Replace, url.QueryEscape, func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) })
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
	return assigned.ReplaceAllStringFunc(text, func(found string) string {
		m := assigned.FindStringSubmatch(found)
		if strings.EqualFold(m[2], "token") && m[3] == ":" && !strings.HasSuffix(m[1], `"`) && (len(m[4]) < 16 || !random.MatchString(m[4])) {
			return found
		}
		return m[1] + mask
	})
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
