// Reads the page that the tracker wrote: what it shows, that nothing from outside is markup,
// resume, full disk (RLIMIT_FSIZE); and the parts it is drawn with.
#include "html_report.hpp"

#include <cmath>
#include <csignal>
#include <filesystem>
#include <limits>

#include <doctest/doctest.h>
#include <sys/resource.h>

#include "mortise/error.hpp"
#include "mortise/file.hpp"
#include "mortise/fixtures.hpp"
#include "mortise/json.hpp"

#include "svg_chart.hpp"

using namespace mortise;
using namespace mortise::tracker::html_report;

namespace {

struct Folder : testing::TempDir {
  std::string page() const { return read_file(path + "/report.html"); }

  RunInfo info(int64_t resumed_step = 0) const {
    return {path,
            "quickstart",
            "[optimizer]\ntype = \"adamw\"\n",
            "parameters 3.2 M",
            400,
            resumed_step};
  }
};

void log_steps(HtmlReport& tracker, int64_t from, int64_t to) {
  for (int64_t step = from; step <= to; ++step) {
    const Scalar values[] = {{"loss", 8.0 / std::sqrt(static_cast<double>(step))},
                             {"lr", 3e-4},
                             {"grad_norm", 1.5},
                             {"tokens_per_s", 6000}};
    tracker.scalars(step, values);
  }
}

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

size_t count(const std::string& text, std::string_view part) {
  size_t found = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

std::vector<double> steps_of(const std::string& page, const std::string& series) {
  const Value data = parse_json(embedded_data(page));
  std::vector<double> out;
  for (const Value& value : data.at("series").as_array()) {
    if (value.at("name").as_string() != series) continue;
    for (const Value& step : value.at("steps").as_array()) out.push_back(step.as_float());
  }
  return out;
}

}  // namespace

TEST_SUITE("tracker.html_report") {
  TEST_CASE(
      "the page shows status, facts, four curves, metrics with signatures, samples, plan and "
      "recipe") {
    const Folder folder;
    HtmlReport tracker({});
    tracker.start(folder.info());
    CHECK(has(folder.page(), "<span class=\"status running\">running</span>"));
    log_steps(tracker, 1, 200);
    tracker.scores(
        200, {"ppl", "test", "mean:token|log:natural", {{"perplexity", 42.5}, {"nll", 3.75}}});
    tracker.text(200, "prompt: the", "the cat\nsat");
    tracker.finish({"done", 200, 75, {{"peak tensor memory", "412 MiB"}}});
    const std::string page = folder.page();
    for (const char* part : {"<title>quickstart",
                             "<span class=\"status done\">done</span>",
                             "<th>peak tensor memory</th><td>412 MiB</td>",
                             "<b>Loss</b>",
                             "<b>Learning rate</b>",
                             "<b>Gradient norm</b>",
                             "<b>Throughput</b>",
                             "train, smoothed",
                             ">step</text>",
                             "nats per token",
                             "<td>perplexity</td><td class=\"number\">42.5</td>",
                             "<code>mean:token|<wbr>log:natural</code>",
                             "the cat\nsat",
                             "parameters 3.2 M",
                             "type = &quot;adamw&quot;",
                             "1 min 15 s",
                             "200 of 400",
                             "prefers-color-scheme:dark"})
      CHECK_MESSAGE(has(page, part), part);
    CHECK(count(page, "<svg ") == 4);
    CHECK(count(page, "<polyline") == 2 + 1 + 3);  // loss: train, smoothed, test
  }

  TEST_CASE("the page needs nothing beside itself") {
    const Folder folder;
    HtmlReport tracker({});
    tracker.start(folder.info());
    log_steps(tracker, 1, 3);
    tracker.finish({"done", 3, 1, {}});
    std::string page = folder.page();
    const std::string name_space = "http://www.w3.org/2000/svg";  // a name, never fetched
    if (const size_t at = page.find(name_space); at != std::string::npos)
      page.erase(at, name_space.size());
    for (const char* part : {"http:", "https:", "src=", "href=", "@import", "url(/", "url(\""})
      CHECK_MESSAGE(!has(page, part), part);
  }

  TEST_CASE("text from outside stays text") {
    const Folder folder;
    const std::string evil = "</script><img src=x onerror=alert(1)>\"'&";
    HtmlReport tracker({});
    RunInfo info = folder.info();
    info.name = info.plan = info.recipe = evil;
    tracker.start(info);
    const Scalar values[] = {{evil, 1.0}};
    tracker.scalars(1, values);
    tracker.scores(1, {evil, evil, evil, {{evil, 1}, {"nll", 2}}});
    tracker.scores(2, {evil, evil, evil, {{evil, 2}, {"nll", 2}}});
    tracker.text(1, evil, evil + std::string("\xff\x01\0", 3));
    tracker.finish({evil, 1, 1, {{evil, evil}}});
    const std::string page = folder.page();
    CHECK_FALSE(has(page, "<img"));
    CHECK(count(page, "</script>") == 2);  // the data and the script
    CHECK(has(page,
              "&lt;/script&gt;&lt;img src=x "
              "onerror=alert(1)&gt;&quot;&#39;&amp;\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"));
    CHECK(parse_json(embedded_data(page)).at("texts").as_array()[0].at("name").as_string() == evil);
  }

  TEST_CASE("a resumed run has whole curves, without what lay after its step") {
    const Folder folder;
    {
      HtmlReport tracker({});
      tracker.start(folder.info());
      log_steps(tracker, 1, 100);
      tracker.scores(50,
                     {"ppl",
                      "dev",
                      "s",
                      {{"perplexity", 9}, {"worst", std::numeric_limits<double>::infinity()}}});
      tracker.scores(100, {"ppl", "dev", "s", {{"perplexity", 5}}});
      tracker.text(40, "kept", "k");
      tracker.text(90, "dropped", "d");
      tracker.flush();  // and the process dies
    }
    HtmlReport tracker({});
    tracker.start(folder.info(60));
    log_steps(tracker, 61, 120);
    tracker.finish({"done", 120, 1, {}});
    const std::vector<double> steps = steps_of(folder.page(), "loss");
    REQUIRE(steps.size() == 120);
    for (size_t i = 0; i < steps.size(); ++i) CHECK(steps[i] == static_cast<double>(i) + 1);
    const Value data = parse_json(embedded_data(folder.page()));
    CHECK(data.at("evaluations").as_array().size() == 1);
    CHECK(data.at("texts").as_array().size() == 1);
    CHECK(has(folder.page(), ">inf</td>"));
  }

  TEST_CASE("a resumed run without a readable report begins its curves anew") {
    const Folder folder;
    for (const char* damaged :
         {"",
          "<html>no data</html>",
          "<script type=\"application/json\" id=\"mortise-data\">{\"version\": 1}</script>"}) {
      write_file(folder.path + "/report.html", damaged);
      HtmlReport tracker({});
      tracker.start(folder.info(60));
      log_steps(tracker, 61, 62);
      tracker.finish({"done", 62, 1, {}});
      CHECK(steps_of(folder.page(), "loss") == std::vector<double>{61, 62});
    }
  }

  TEST_CASE("a full disk is an Io error and the last good report stays") {
    const Folder folder;
    HtmlReport tracker({});
    tracker.start(folder.info());
    log_steps(tracker, 1, 10);
    tracker.flush();
    const std::string before = folder.page();
    {
      const testing::FullDisk disk(1000);
      try {
        tracker.flush();
        FAIL("flush() succeeded on a full disk");
      } catch (const Error& error) {
        CHECK((error.code() == Code::Io));
      }
    }
    CHECK(folder.page() == before);
    CHECK(std::distance(std::filesystem::directory_iterator(folder.path), {}) ==
          1);  // no temporary file
    CHECK_NOTHROW(tracker.flush());
  }

  TEST_CASE("a long run keeps a bounded number of points, their mean and its whole length") {
    Series series("loss", 100);
    double sum = 0;
    for (int64_t step = 1; step <= 51200; ++step) {
      series.add(step, static_cast<double>(step % 7));
      sum += static_cast<double>(step % 7);
    }
    const auto points = series.points();
    CHECK(points.size() <= 200);
    CHECK(points.size() >= 100);
    double mean = 0;
    for (const Point& p : points) mean += p.value / static_cast<double>(points.size());
    CHECK(mean == doctest::Approx(sum / 51200));
    CHECK(points.back().step > 50000);
    CHECK(Series::from_value(series.to_value(), 100).to_value() == series.to_value());
  }

  TEST_CASE("smoothing keeps a straight line straight and takes noise away") {
    std::vector<Point> line, noise;
    for (int i = 0; i < 100; ++i) {
      line.push_back({static_cast<double>(i), 2.0 * i});
      noise.push_back({static_cast<double>(i), i % 2 == 0 ? 1.0 : -1.0});
    }
    const auto straight = smoothed(line, 0.2), calm = smoothed(noise, 0.2);
    for (size_t i = 0; i < 100; ++i) CHECK(straight[i].value == doctest::Approx(line[i].value));
    CHECK(std::abs(calm[50].value) < 0.1);
    CHECK(smoothed({}, 0.2).empty());
    CHECK(smoothed(noise, 0)[3].value == -1.0);
  }

  TEST_CASE("values that are not finite are counted, and the chart says so") {
    const Folder folder;
    HtmlReport tracker({});
    tracker.start(folder.info());
    log_steps(tracker, 1, 5);
    const Scalar values[] = {{"loss", std::nan("")}};
    tracker.scalars(6, values);
    for (const double perplexity : {1.7976931348623157e308, 1e200, 9.5})
      tracker.scores(6, {"ppl", "dev", "s", {{"perplexity", perplexity}}});
    tracker.finish({"failed", 6, 1, {}});
    CHECK(has(folder.page(), "1 value is not finite and not drawn"));
    CHECK_FALSE(has(folder.page(), "nan"));
    CHECK_FALSE(has(folder.page(), "inf,"));
  }

  TEST_CASE("ticks are round and cover the range") {
    CHECK(ticks(0, 10, 5) == std::vector<double>{0, 2, 4, 6, 8, 10});
    CHECK(ticks(2.9, 8.4, 5) == std::vector<double>{4, 6, 8});
    CHECK(ticks(-1, 1, 4) == std::vector<double>{-1, -0.5, 0, 0.5, 1});
    CHECK(ticks(0, 3.2e-4, 5).size() == 4);
    CHECK(tick_label(0, 1) == "0");
    CHECK(tick_label(2.5, 0.5) == "2.5");
    CHECK(tick_label(400, 100) == "400");
    CHECK(tick_label(1000, 1000) == "1000");
    CHECK(tick_label(15000, 5000) == "15k");
    CHECK(tick_label(1.5e6, 5e5) == "1.5M");
    CHECK(tick_label(3e-4, 1e-4) == "3e-4");
    CHECK(tick_label(-2.5e-5, 5e-6) == "-2.5e-5");
    CHECK(tick_label(0.003, 0.001) == "0.003");
  }

  TEST_CASE("one point, equal values and a spike make charts that can be read") {
    for (const std::vector<Point>& points :
         {std::vector<Point>{{5, 2}}, std::vector<Point>{{1, 0}, {2, 0}}}) {
      const std::string svg = draw({"x", "", false, {{"", "main", points}}, ""});
      CHECK(has(svg, "<polyline"));
      CHECK_FALSE(has(svg, "nan"));
      CHECK_FALSE(has(svg, "inf"));
    }
    std::vector<Point> spiky;
    for (int i = 0; i < 100; ++i) spiky.push_back({static_cast<double>(i), i == 0 ? 1000.0 : 1.0});
    CHECK(has(draw({"x", "", true, {{"", "main", spiky}}, ""}), "1 point above the frame"));
  }

  TEST_CASE("a rollback leaves one curve and shows what it gave up, also after a resume") {
    const Folder folder;
    {
      HtmlReport tracker({});
      tracker.start(folder.info());
      log_steps(tracker, 1, 18);
      tracker.scores(15, {"ppl", "dev", "s", {{"perplexity", 9}}});
      tracker.rewound(18, 10, "loss 9 is a spike");
      log_steps(tracker, 11, 20);
      tracker.flush();
    }
    HtmlReport tracker({});
    tracker.start(folder.info(20));
    tracker.finish({"done", 20, 1, {}});
    const std::vector<double> steps = steps_of(folder.page(), "loss");
    REQUIRE(steps.size() == 20);
    for (size_t i = 0; i < steps.size(); ++i) CHECK(steps[i] == static_cast<double>(i) + 1);
    const Value data = parse_json(embedded_data(folder.page()));
    const Value& piece = data.at("given_up").as_array().at(0);
    CHECK(piece.get("name", "") == "loss");
    CHECK(piece.at("points").as_array().size() == 9);  // from step 10, where it left the curve
    CHECK(data.at("evaluations").as_array().empty());
    CHECK(has(folder.page(), "from step 18 to step 10: loss 9 is a spike"));
    CHECK(count(folder.page(), ">given up by a rollback<") == 4);  // once a chart
    CHECK(has(folder.page(), "polyline class=\"gone\""));
  }
}
