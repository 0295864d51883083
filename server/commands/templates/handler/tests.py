    def test_it_greets(self):
        self.assertEqual(self.get("/hello/Ada"), (200, {"greeting": "Hello", "name": "Ada", "times": 1}))
        self.assertEqual(self.get("/hello/Ada%20L?times=3"),
                         (200, {"greeting": "Hello", "name": "Ada L", "times": 3}))

    def test_a_parameter_that_does_not_fit_is_named(self):
        for times in ("0", "11", "many", ""):
            status, problem = self.get(f"/hello/Ada?times={times}")
            self.assertEqual((status, problem["parameter"]), (400, "times"))

    def get(self, target, method="GET"):
        """(status, the JSON of the answer)"""
        status, _, body = self.ask(method, target)
        return status, json.loads(body)
