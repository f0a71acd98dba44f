package graph

import "net/http"

func (s *Server) serveBatch(w http.ResponseWriter, r *http.Request) { s.router.ServeHTTP(w, r) }
