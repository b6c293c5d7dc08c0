package api

// OnRead has fn hear of each range that is read from the bucket, from now on.
func (s *Server) OnRead(fn func(key string)) { s.tiles.reading = fn }

// Cached is how many bytes of tiles and how many entries of directories the caches hold, once they have thrown out what is
// over their bounds.
func (s *Server) Cached() (tiles, entries int) {
	s.tiles.tiles.CleanUp()
	s.tiles.leaves.CleanUp()
	for _, t := range s.tiles.tiles.All() {
		tiles += len(t.body)
	}
	for _, es := range s.tiles.leaves.All() {
		entries += len(es)
	}
	return tiles, entries
}
