// Reads back the bytes of metrics.csv and scores.csv, also after a resume and on a full disk
// (RLIMIT_FSIZE).
#include "csv.hpp"

#include <csignal>
#include <filesystem>
#include <limits>

#include <doctest/doctest.h>
#include <sys/resource.h>

#include "mortise/error.hpp"
#include "mortise/file.hpp"
#include "mortise/fixtures.hpp"

using namespace mortise;
using tracker::csv::Csv;

namespace {

struct Folder : testing::TempDir {
  std::string steps() const { return read_file(path + "/metrics.csv"); }

  std::string scores() const { return read_file(path + "/scores.csv"); }

  RunInfo info(int64_t resumed_step = 0) const {
    RunInfo info;
    info.directory = path;
    info.resumed_step = resumed_step;
    return info;
  }
};

void log(Csv& tracker, int64_t step, std::vector<Scalar> values) { tracker.scalars(step, values); }

}  // namespace

TEST_SUITE("tracker.csv") {
  TEST_CASE("the first row decides the columns, numbers keep their bits") {
    const Folder folder;
    Csv tracker;
    tracker.start(folder.info());
    log(tracker, 1, {{"loss", 0.1}, {"lr", 3e-4}});
    log(tracker, 2, {{"lr", 1e-300}, {"loss", std::numeric_limits<double>::quiet_NaN()}});
    log(tracker, 3, {{"loss", 2}});
    tracker.finish({});
    CHECK(folder.steps() == "step,loss,lr\n1,0.1,3e-04\n2,nan,1e-300\n3,2,\n");
    CHECK(folder.scores() == "step,eval,data,score,value,signature\n");
  }

  TEST_CASE("a later name becomes a column at the right and nothing is lost") {
    const Folder folder;
    Csv tracker;
    tracker.start(folder.info());
    log(tracker, 1, {{"loss", 4}});
    log(tracker, 2, {{"loss", 3}, {"a,\"b\"", 7}, {"c", 8}});
    log(tracker, 3, {{"c", 9}});
    tracker.flush();
    CHECK(folder.steps() == "step,loss,\"a,\"\"b\"\"\",c\n1,4,,\n2,3,7,8\n3,,,9\n");
    Csv resumed;  // the header is read back
    resumed.start(folder.info(2));
    log(resumed, 3, {{"a,\"b\"", 1}, {"d", 5}});
    resumed.finish({});
    CHECK(folder.steps() == "step,loss,\"a,\"\"b\"\"\",c,d\n1,4,,,\n2,3,7,8,\n3,,1,,5\n");
  }

  TEST_CASE("scores stand in a file of their own, one a row") {
    const Folder folder;
    Csv tracker;
    tracker.start(folder.info());
    tracker.scores(5, {"ppl", "dev, 1", "sig:a", {{"perplexity", 2.5}, {"nll", 0.5}}});
    tracker.finish({});
    CHECK(folder.scores() ==
          "step,eval,data,score,value,signature\n5,ppl,\"dev, "
          "1\",perplexity,2.5,sig:a\n5,ppl,\"dev, 1\",nll,0.5,sig:a\n");
  }

  TEST_CASE("a resumed run drops later and torn rows of both files") {
    const Folder folder;
    write_file(folder.path + "/metrics.csv", "step,loss\n1,5\n2,4\n3,3\n2");
    write_file(folder.path + "/scores.csv",
               "step,eval,data,score,value,signature\n2,e,d,s,1,x\n3,e,d,s,2,x\n");
    Csv tracker;
    tracker.start(folder.info(2));
    log(tracker, 3, {{"loss", 2.5}});
    tracker.finish({});
    CHECK(folder.steps() == "step,loss\n1,5\n2,4\n3,2.5\n");
    CHECK(folder.scores() == "step,eval,data,score,value,signature\n2,e,d,s,1,x\n");
  }

  TEST_CASE("a full disk is an Io error and the old rows stay, also while a column is added") {
    const Folder folder;
    Csv tracker;
    tracker.start(folder.info());
    for (int64_t step = 1; step <= 100; ++step) log(tracker, step, {{"loss", 1}});
    tracker.flush();
    const std::string before = folder.steps();
    {
      const testing::FullDisk disk(before.size() + 4);
      CHECK_THROWS_AS(log(tracker, 101, {{"loss", 1}, {"lr", 2}}), Error);
      CHECK(folder.steps() == before);
    }
    log(tracker, 101, {{"loss", 1}, {"lr", 2}});
    tracker.flush();
    CHECK(folder.steps().starts_with("step,loss,lr\n1,1,\n"));
    CHECK(folder.steps().ends_with("100,1,\n101,1,2\n"));
  }

  TEST_CASE("a rollback leaves one row a step and keeps what it gave up in files of its own") {
    const Folder folder;
    Csv tracker;
    tracker.start(folder.info());
    for (const int64_t step : {1, 2, 3}) log(tracker, step, {{"loss", 1.0 * step}});
    tracker.scores(2, {"ppl", "dev", "v1", {{"perplexity", 9.0}}});
    tracker.rewound(3, 1, "a spike");
    log(tracker, 2, {{"loss", 7.0}});
    tracker.rewound(2, 1, "another");
    log(tracker, 2, {{"loss", 8.0}});
    tracker.finish({});
    CHECK(folder.steps() == "step,loss\n1,1\n2,8\n");
    CHECK(folder.scores() == "step,eval,data,score,value,signature\n");
    CHECK(read_file(folder.path + "/metrics.rollback-1.csv") == "step,loss\n2,2\n3,3\n");
    CHECK(read_file(folder.path + "/scores.rollback-1.csv") ==
          "step,eval,data,score,value,signature\n2,ppl,dev,perplexity,9,v1\n");
    CHECK(read_file(folder.path + "/metrics.rollback-2.csv") == "step,loss\n2,7\n");
  }
}
