package meltemi;

import java.io.Serializable;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** An answer with something of everything: nesting, a reference to itself, longs, text beyond ASCII. */
public class Forecast implements Serializable {
    private static final long serialVersionUID = 1L;

    private String island;
    private long at;
    private double knots;
    private Integer gusts;
    private boolean warning;
    private List<Day> days = new ArrayList<>();
    private Map<String, Object> notes = new LinkedHashMap<>();
    private Forecast same;

    public static Forecast of(String island, int days) {
        Forecast forecast = new Forecast();
        forecast.island = island;
        forecast.at = 0x1234_5678_9abc_def0L;
        forecast.knots = 17.25;
        forecast.warning = days > 3;
        for (int n = 0; n < days; n++) forecast.days.add(new Day("day " + n, n * 1_000));
        forecast.notes.put("greek", "μελτέμι");
        forecast.notes.put("emoji", "\uD83C\uDF2C wind");
        forecast.notes.put("numbers", new ArrayList<>(Arrays.asList(1, -70_000, 3.5, Long.MIN_VALUE, true)));
        forecast.same = forecast;
        return forecast;
    }

    @Override
    public String toString() {
        return island + " " + at + " " + knots + " " + gusts + " " + warning + " " + days + " " + notes + " "
                + (same == this);
    }

    public String getIsland() {
        return island;
    }

    public void setIsland(String island) {
        this.island = island;
    }

    public long getAt() {
        return at;
    }

    public void setAt(long at) {
        this.at = at;
    }

    public double getKnots() {
        return knots;
    }

    public void setKnots(double knots) {
        this.knots = knots;
    }

    public Integer getGusts() {
        return gusts;
    }

    public void setGusts(Integer gusts) {
        this.gusts = gusts;
    }

    public boolean isWarning() {
        return warning;
    }

    public void setWarning(boolean warning) {
        this.warning = warning;
    }

    public List<Day> getDays() {
        return days;
    }

    public void setDays(List<Day> days) {
        this.days = days;
    }

    public Map<String, Object> getNotes() {
        return notes;
    }

    public void setNotes(Map<String, Object> notes) {
        this.notes = notes;
    }

    public Forecast getSame() {
        return same;
    }

    public void setSame(Forecast same) {
        this.same = same;
    }

    /** One day of it. */
    public static class Day implements Serializable {
        private static final long serialVersionUID = 1L;

        private String name;
        private int waves;

        public Day() {}

        public Day(String name, int waves) {
            this.name = name;
            this.waves = waves;
        }

        @Override
        public String toString() {
            return name + "/" + waves;
        }

        public String getName() {
            return name;
        }

        public void setName(String name) {
            this.name = name;
        }

        public int getWaves() {
            return waves;
        }

        public void setWaves(int waves) {
            this.waves = waves;
        }
    }
}
