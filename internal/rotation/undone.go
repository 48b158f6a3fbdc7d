package rotation

import (
	"slices"

	"wso2agent/internal/trust"
)

// Statement returns the fingerprints of all that the agent believes of a peer's certificates and successors, sorted, without
// duplicates.
func (peer Peer) Statement() []string {
	all := fingerprints(slices.Concat(peer.Certificates, peer.Successors))
	slices.Sort(all)
	return slices.Compact(all)
}

// leaveUndone removes the peers whose statement a person has undone, so that they count as peers that have published nothing. It
// returns a text about each of them. Otherwise the next pass would import again what was undone. Another statement ends that. What
// cannot be read is no statement.
func (p *pass) leaveUndone() (texts []string) {
	s := p.s
	kept := trust.Undone{}
	for _, name := range s.Settings.Peers {
		undone, is := s.Records.Undone[name]
		said := s.Peers[name]
		if !is {
			continue
		}
		if len(said.Certificates) > 0 && said.SuccessorsErr == nil && !slices.Equal(said.Statement(), undone) {
			p.log(Info, "", "a peer publishes other certificates than those that a person has undone: the agent imports them", "peer", name)
			continue
		}
		kept[name] = undone
		delete(p.peers, name)
		text := "a person has undone what was imported of " + name + ": the agent leaves its aliases alone until it publishes another certificate, or somebody removes " + s.Records.UndoneAt
		texts = append(texts, text)
		p.log(Warn, "undone "+name, text)
	}
	if !sameLists(kept, s.Records.Undone) {
		p.do(SaveUndone{kept})
	}
	return texts
}
