// Hashes of passwords, by the examples of those who made the methods.
#include "crypto/password.h"

#include <catch2/catch_test_macros.hpp>
#include <string>
#include <utility>
#include <vector>

namespace leat::crypto {

namespace {

using Outcome = PasswordHash::Outcome;

std::string wrong_with(std::string_view text) {
  const auto hash = PasswordHash::parse(text);
  return hash ? "" : hash.error();
}

}  // namespace

TEST_CASE("password: hashes that others made are verified, whole or not at all") {
  const std::vector<std::pair<std::string, std::string>> examples = {
      // The tests of Argon2's reference.
      {"password", "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"},
      {"password", "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc"},
      {"password", "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"},
      // One of libxcrypt's, and what OpenSSL makes.
      {"U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"},
      {"Hello world!", "$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5"},
      {"Hello world!",
       "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/"
       "O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1"},
      {"Hello world!", "$5$rounds=10000$saltstringsaltst$3xv.VbSHBb41AL9AvLeujZkZRBAwqFMz2.opqey6IcA"}};
  for (const auto& [password, text] : examples) {
    INFO(text);
    const auto hash = PasswordHash::parse(text);
    REQUIRE(hash);
    CHECK(hash->verify(password) == Outcome::Right);
    for (const std::string& other : {password + "x", password.substr(1), std::string(), password + '\0',
                                     password + std::string("\0x", 2)})
      CHECK(hash->verify(other) == Outcome::Wrong);
  }
}

TEST_CASE("password: of bcrypt the first 72 bytes count, and no password is too long") {
  const auto hash = PasswordHash::parse("$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW");
  REQUIRE(hash);
  CHECK(hash->verify(std::string(100, 'x')) == Outcome::Wrong);
  CHECK(hash->verify(std::string(10'000, 'x')) == Outcome::Wrong);
}

TEST_CASE("password: what can be guessed in no time, or takes forever, is refused, and what is cut") {
  for (const char* weak : {"$apr1$abcdefgh$ABCDEFGHIJKLMNOPQRSTU.", "$1$abcdefgh$ABCDEFGHIJKLMNOPQRSTU.",
                           "{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=", "rqXexS6ZhobKA"}) {
    INFO(weak);
    CHECK(wrong_with(weak) ==
          "a hash of this method can be guessed in no time: make one with `htpasswd -nB NAME`");
  }
  for (const char* none :
       {"", "hunter2hunter2", "$2x$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
        "$argon2i$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"}) {
    INFO(none);
    CHECK(wrong_with(none).starts_with("behind the name stands no hash of bcrypt, Argon2id,"));
  }
  const std::string bcrypt = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";
  CHECK(wrong_with(bcrypt.substr(0, 59)) == "this is no whole hash of bcrypt");
  CHECK(wrong_with(bcrypt + "x") == "this is no whole hash of bcrypt");
  CHECK(wrong_with("$2a$xx" + bcrypt.substr(6)) == "this is no whole hash of bcrypt");
  CHECK(wrong_with("$2a$05" + bcrypt.substr(6, 53) + ":") == "this is no whole hash of bcrypt");
  CHECK(wrong_with("$2a$17" + bcrypt.substr(6)) ==
        "the cost of a bcrypt hash is 4 to 16, or nobody waits for it");
  CHECK(wrong_with("$2a$03" + bcrypt.substr(6)).starts_with("the cost of a bcrypt hash"));
  CHECK(wrong_with("$5$saltstring$5B8vYYiY").starts_with("this is no whole hash of SHA-crypt"));
  CHECK(wrong_with("$5$rounds=99999999$salt$3xv.VbSCBX41eDL9L3voZedIFjEFBn5nRqaFI6Eo8.4")
            .starts_with("the rounds of such a hash are at most 5000000"));
  CHECK(wrong_with("$y$j9T$salt$short") == "this is no whole hash of yescrypt");
  const auto yescrypt = [](std::string_view cost) {
    return wrong_with(fmt::format("$y${}$salt${}", cost, std::string(43, 'a')));
  };
  CHECK(yescrypt("jFT").empty());  // 1 GiB, its largest cost by name
  for (const std::string_view dear : {"jGT", "jHT", "jFz", "jzz", "j", "jFT5", "j!T", ""}) {
    INFO(dear);
    CHECK_FALSE(yescrypt(dear).empty());
  }
  const auto argon = [](const std::string& numbers,
                        const std::string& rest = "c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4") {
    return wrong_with("$argon2id$v=19$" + numbers + "$" + rest);
  };
  CHECK(argon("m=256,t=2,p=1").empty());
  for (const char* numbers : {"", "m=256", "m=256,t=2", "t=2,m=256,p=1", "m=256,t=2,p=1,x=1", "m=-1,t=2,p=1"})
    CHECK(argon(numbers) == "this is no whole hash of Argon2id");
  CHECK(argon("m=256,t=2,p=1", "c29tZXNhbHQ") == "this is no whole hash of Argon2id");
  CHECK(argon("m=256,t=2,p=1", "c29tZXNhbHQ$nf65EOgL") == "this is no whole hash of Argon2id");
  CHECK(argon("m=256,t=2,p=1", "c29tZQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4") ==
        "this is no whole hash of Argon2id");
  CHECK(argon("m=7,t=2,p=1").starts_with("a hash of Argon2id has at least"));
  CHECK(argon("m=256,t=0,p=1").starts_with("a hash of Argon2id has at least"));
  for (const char* numbers : {"m=1048577,t=2,p=1", "m=256,t=65,p=1", "m=1000,t=2,p=65"})
    CHECK(argon(numbers).starts_with("a hash of Argon2id has at most m=1048576, t=64 and p=64"));
  CHECK(wrong_with("$argon2id$v=16$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4") ==
        "a hash of Argon2id is of version 19");
}

}  // namespace leat::crypto
