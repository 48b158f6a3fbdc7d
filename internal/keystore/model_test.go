package keystore

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
)

// modelSeeds are run by every test; a failure names its seed.
const modelSeeds = 12

// TestRandomEditsAgreeWithAMap runs random operations against a store that is opened anew now and then, and against a
// map that says what it must hold. Java lists the last state of each.
func TestRandomEditsAgreeWithAMap(t *testing.T) {
	pool := newPool(t)
	var files []string
	want := make(map[string]view)
	for seed := range uint64(modelSeeds) {
		for name, o := range quickStores() {
			m := &model{t: t, name: fmt.Sprintf("%s, seed %d", name, seed), random: rand.New(rand.NewPCG(seed, 1)), pool: pool, want: make(view)}
			data := m.play(o, 60)
			if seed < 4 {
				file := write(t, "store", data)
				files, want[file] = append(files, file), m.want
			}
		}
	}
	views := javaViews(t, testPassword, files...)
	for _, file := range files {
		if d := diff(want[file], views[file]); d != "" {
			t.Errorf("%s, as Java sees it:\n%s", file, d)
		}
	}
}

// pool is what the operations choose from: few enough that they meet.
type pool struct {
	aliases []string
	ids     []identity
	root    identity
}

func newPool(t *testing.T) pool {
	root := newIdentity(t, "root", nil)
	p := pool{aliases: []string{"a", "B", "wso2is", "wso2am-9bf78253", "größe", "日本", "𝄞", "key", "Key2"}, root: root}
	for i := range 8 {
		issuer := &root
		if i%2 == 0 {
			issuer = nil
		}
		p.ids = append(p.ids, newIdentity(t, fmt.Sprintf("id %d", i), issuer))
	}
	return p
}

type model struct {
	t      *testing.T
	name   string
	random *rand.Rand
	pool   pool
	want   view
}

func (m *model) play(o Options, steps int) []byte {
	s := mustNew(m.t, o)
	for step := range steps {
		m.step(s)
		if d := diff(m.want, viewOf(s.Entries())); d != "" {
			m.t.Fatalf("%s, step %d:\n%s", m.name, step, d)
		}
		if m.random.IntN(4) == 0 {
			s = mustOpen(m.t, mustEncode(m.t, s), o.Password)
		}
	}
	data := mustEncode(m.t, s)
	if d := diff(m.want, viewOf(mustOpen(m.t, data, o.Password).Entries())); d != "" {
		m.t.Fatalf("%s, at the end:\n%s", m.name, d)
	}
	return data
}

func (m *model) step(s *Store) {
	m.t.Helper()
	alias := m.pool.aliases[m.random.IntN(len(m.pool.aliases))]
	id := m.pool.ids[m.random.IntN(len(m.pool.ids))]
	line, taken := m.want[javaLower(alias)]
	isKey := taken && line[:len(KeyEntry)] == string(KeyEntry)
	switch m.random.IntN(6) {
	default:
		err := s.SetTrusted(alias, id.certificate(), testTime())
		if isKey {
			m.expect(err, ErrAliasTaken)
			return
		}
		m.expect(err, nil)
		m.want = m.want.with(javaLower(alias), TrustedCertificate, id.certificate())
	case 0, 1:
		err := s.Delete(alias)
		switch {
		case isKey:
			m.expect(err, ErrAliasTaken)
		case !taken:
			m.expect(err, ErrAliasNotFound)
		default:
			m.expect(err, nil)
			m.want = m.want.without(javaLower(alias))
		}
	case 2:
		chain := []Certificate{id.certificate()}
		if id.cert.Issuer.CommonName == "root" {
			chain = append(chain, m.pool.root.certificate())
		}
		err := s.SetKey(alias, id.key, chain, testPassword, testTime())
		if taken && !isKey {
			m.expect(err, ErrAliasTaken)
			return
		}
		m.expect(err, nil)
		m.want = m.want.without(javaLower(alias))
		m.want[javaLower(alias)] = viewOf([]Entry{{Alias: alias, Kind: KeyEntry, Chain: chain}})[javaLower(alias)]
	}
}

func (m *model) expect(got, want error) {
	m.t.Helper()
	if !errors.Is(got, want) {
		m.t.Fatalf("%s: %v, want %v", m.name, got, want)
	}
}
