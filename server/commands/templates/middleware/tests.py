    def test_without_the_key_nobody_comes_in(self):
        for headers in ({}, {"X-API-Key": "guess"}):
            status, fields, body = self.ask("GET", "/metrics", headers)
            self.assertEqual((status, json.loads(body)["status"]), (401, 401))
            self.assertEqual(fields["X-Guarded-By"], "@NAME@")

    def test_with_it_the_route_answers(self):
        status, fields, body = self.ask("GET", "/metrics", {"X-API-Key": "sesame"})
        self.assertEqual((status, fields["X-Guarded-By"]), (200, "@NAME@"))
        self.assertIn(b"leat_build_info", body)
